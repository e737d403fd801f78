"""For which audiences an identity is good: those that were asked for and are vouched for.

A provider's tokens name audiences of the provider's own (a client, an API),
which its authenticator checks; those here are names of API servers.
"""

from __future__ import annotations

from collections.abc import Sequence

from authsvc.authn.checks import Check, Explanation, Refused, Report, explain, unreported
from authsvc.interfaces import Identity, TokenAuthenticator


def bound_audiences(
    asked: Sequence[str], vouched: Sequence[str], report: Report
) -> tuple[str, ...]:
    """Return those of the asked audiences that an authenticator vouches for.

    The configuration says for which of them its tokens are good (``vouched``).
    Where it says nothing, the authenticator names no audience: the API server
    then takes the answer for its own alone (``implicitAuds`` in
    k8s.io/apiserver's token webhook), so a review for another audience, such as
    a component's, does not succeed.

    Raises:
        Refused: it vouches for none of those that were asked for.
    """
    if not asked or not vouched:
        return ()
    good = tuple(each for each in asked if each in vouched)
    if not good:
        raise Refused("API audiences", f"asked for {list(asked)}, good for {list(vouched)}")
    report("API audiences", f"good for {list(good)}")
    return good


class AudienceTokenAuthenticator:
    """Binds all authenticators to the audiences that this service vouches for.

    One that names no audience is taken to speak for all that were asked for.
    A service without any configured is not wrapped in this: it leaves
    ``status.audiences`` to the authenticators.
    """

    def __init__(self, authenticator: TokenAuthenticator, audiences: Sequence[str]) -> None:
        self._authenticator = authenticator
        self._audiences = tuple(audiences)

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """Return whose token this is, for those of the audiences that are ours."""
        try:
            ours = bound_audiences(audiences, self._audiences, unreported)
        except Refused:
            return None
        return _bound(self._authenticator.authenticate_token(token, ours), ours)

    def explain(self, token: str, audiences: Sequence[str]) -> Explanation:
        """Authenticate the token and tell each step."""
        steps: list[Check] = []
        try:
            ours = bound_audiences(
                audiences,
                self._audiences,
                lambda check, detail: steps.append(Check(check, True, detail)),
            )
        except Refused as refused:
            return Explanation((refused.as_check(),), None)
        told = explain(self._authenticator, token, ours)
        return told._replace(checks=(*steps, *told.checks), identity=_bound(told.identity, ours))


def _bound(identity: Identity | None, ours: tuple[str, ...]) -> Identity | None:
    if identity is None or not ours:
        return identity
    return identity._replace(audiences=identity.audiences or ours)
