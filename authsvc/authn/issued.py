"""Tokens that authsvc itself issued (``type: Issued``).

The signature says who logged in; whether that still holds is asked each time:
the list of revoked sessions, and the directory for the user's status and
groups, as last asked within the TTL. The identity expires when either the
token or what the directory said does, so a cache in front keeps neither longer.
"""

from __future__ import annotations

from collections.abc import Sequence

from authsvc.authn.checks import (
    Explanation,
    Refused,
    Report,
    check_route,
    explanation,
    unreported,
)
from authsvc.authn.directories import Directories
from authsvc.authn.routing import route_issuer
from authsvc.interfaces import Identity
from authsvc.issuer.revocations import Revocations
from authsvc.issuer.tokens import AccessToken, AccessTokens

SESSION = "authsvc.io/session"
"""The key of ``extra`` that names the session, so that an audit log does."""


class IssuedTokenAuthenticator:
    """Knows the access tokens of one issuer.

    ``audience``: tokens for it are good for any API server that asks this
    service. A token for another audience is good only where that one is asked for.
    """

    def __init__(
        self,
        tokens: AccessTokens,
        revocations: Revocations,
        directories: Directories,
        audience: str,
    ) -> None:
        self._tokens = tokens
        self._revocations = revocations
        self._directories = directories
        self._audience = audience

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """Return who logged in, as their directory knows them now.

        Raises:
            BackendError: the directory cannot answer, or the revocations were never read.
        """
        try:
            return self._authenticate(token, audiences, unreported)
        except Refused:
            return None

    def explain(self, token: str, audiences: Sequence[str]) -> Explanation:
        """Authenticate the token and tell each step."""

        def steps(report: Report) -> Identity:
            check_route(route_issuer(token, self._tokens.issuer), report)
            return self._authenticate(token, audiences, report)

        return explanation(steps)

    def is_revoked(self, identity: Identity) -> bool:
        """Say of an identity from here whether its session has ended since."""
        session = identity.user.extra.get(SESSION, ())
        return any(session_id in self._revocations for session_id in session)

    def _authenticate(self, token: str, audiences: Sequence[str], report: Report) -> Identity:
        access = self._tokens.verify(token)
        if access is None:
            raise Refused("signature", "it is not ours, or not good now")
        report("signature", "it is ours, and good now")
        if access.session_id in self._revocations:
            raise Refused("session", f"{access.session_id} was revoked")
        report("session", access.session_id)
        meant_for = tuple(each for each in audiences if each == access.audience)
        if not meant_for and access.audience != self._audience:
            raise Refused("audience", f"it is for {access.audience!r}, not {list(audiences)}")
        report("audience", repr(access.audience))
        return self._identify(access, meant_for, report)

    def _identify(
        self, access: AccessToken, audiences: tuple[str, ...], report: Report
    ) -> Identity:
        user, expires_at = access.user, float(access.expires_at)
        if access.directory:
            fact = self._directories.lookup(access.directory, user.username)
            if fact.user is None:
                raise Refused("directory", f"{access.directory} does not know {user.username}")
            report("directory", f"{access.directory} knows {user.username}")
            user, expires_at = fact.user, min(expires_at, fact.fresh_until)
        extra = {**user.extra, SESSION: (access.session_id,)}
        return Identity(user._replace(extra=extra), audiences, expires_at)
