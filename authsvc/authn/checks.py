"""Checks of a credential, one after another, each of which can be told to a person.

The authenticators of tokens that others issued are a list of such checks. A
TokenReview needs the outcome alone; `authsvc token explain` wants every step.
Both walk the same code: a check that passes is reported, one that fails raises
Refused, which never leaves this package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import structlog

from authsvc.authn.routing import Route
from authsvc.errors import BackendError
from authsvc.interfaces import Identity

_log = structlog.get_logger()

Report = Callable[[str, str], None]
"""Is told the name of a check that passed, and what was seen."""


class Refused(Exception):  # noqa: N818  a verdict, not an error
    """The credential is not good; says which check failed and why, never with the credential."""

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(f"{check}: {reason}")
        self.check = check
        self.reason = reason


class Check(NamedTuple):
    """One step of an explanation; ``passed`` None where the step could not be made."""

    name: str
    passed: bool | None
    detail: str


class Explanation(NamedTuple):
    """All steps, and whose token it is where they all passed."""

    checks: tuple[Check, ...]
    identity: Identity | None


@runtime_checkable
class Explaining(Protocol):
    """An authenticator that can say why it takes or refuses a token."""

    def route(self, token: str) -> Route:
        """Say whether the token is meant for this authenticator's provider; asks nobody."""
        ...

    def explain(self, token: str, audiences: Sequence[str]) -> Explanation:
        """Authenticate the token and tell each step; asks whom a TokenReview would ask."""
        ...


def _unreported(check: str, detail: str) -> None:
    """Nobody asked."""


def verdict(authenticator: str, steps: Callable[[Report], Identity]) -> Identity | None:
    """Walk the steps; None where one refused, which the log says with its reason.

    Raises:
        BackendError: a step could not be made.
    """
    try:
        return steps(_unreported)
    except Refused as refused:
        _log.info(
            "token_refused",
            authenticator=authenticator,
            check=refused.check,
            reason=refused.reason,
        )
        return None


def explanation(steps: Callable[[Report], Identity]) -> Explanation:
    """Walk the steps and keep what each one said."""
    checks: list[Check] = []

    def report(check: str, detail: str) -> None:
        checks.append(Check(check, True, detail))

    identity = None
    try:
        identity = steps(report)
    except Refused as refused:
        checks.append(Check(refused.check, False, refused.reason))
    except BackendError as error:
        checks.append(Check("provider", None, str(error)))
    return Explanation(tuple(checks), identity)


def bound_audiences(
    asked: Sequence[str], vouched: Sequence[str], report: Report
) -> tuple[str, ...]:
    """Return those of the asked audiences that an authenticator vouches for.

    A provider's tokens name audiences of the provider's own (a client, an
    API), which its authenticator has checked by now; what an API server asks
    for are names of the API server. So an authenticator says by configuration
    for which of those its tokens are good (``vouched``). Where it does not, it
    has no say in audiences and names none: the API server then takes the answer
    for its own alone (``implicitAuds`` in k8s.io/apiserver's token webhook), so
    a review for another audience, such as a component's, does not succeed.
    """
    if not asked or not vouched:
        return ()
    good = tuple(each for each in asked if each in vouched)
    if not good:
        raise Refused("API audiences", f"asked for {list(asked)}, good for {list(vouched)}")
    report("API audiences", f"good for {list(good)}")
    return good
