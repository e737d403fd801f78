"""Sessions: a login on one device, kept alive by refresh tokens that are good once.

A refresh token that is used a second time was stolen, from the client or by
it, and nobody can say which of the two holders is the thief: the session ends
(RFC 9700 4.14.2). One exception: within ``refresh_grace`` of a rotation its
predecessor is answered again with the same successor, because networks lose
answers. A thief gains nothing by that: thief and owner then hold the same
token, and whoever uses it second ends the session.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from enum import Enum

import structlog

from authsvc import metrics
from authsvc.issuer import refresh
from authsvc.issuer.refresh import RefreshToken
from authsvc.issuer.revocations import Revocations
from authsvc.issuer.settings import IssuerSettings
from authsvc.store.protocol import NO_REFRESH, RefreshState, Session, Store

_log = structlog.get_logger()


class _Use(Enum):
    """What the presentation of a refresh token is."""

    CURRENT = "current"
    RETRY = "retry"
    REUSE = "reuse"


class Sessions:
    """Opens, refreshes and ends sessions.

    Raises, from every method:
        BackendError: the store cannot answer; nothing was changed.
    """

    def __init__(
        self,
        settings: IssuerSettings,
        store: Store,
        revocations: Revocations,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._store = store
        self._revocations = revocations
        self._clock = clock

    def open(
        self, username: str, directory: str, client: str, address: str, audience: str
    ) -> tuple[Session, RefreshToken]:
        """Open a session and return it with its first refresh token."""
        now = self._clock()
        ends_at = now + self._settings.session_length
        token = refresh.new(_new_id())
        state = RefreshState(
            refresh.digest(token.family), refresh.digest(token.secret), b"", b"", now
        )
        session = Session(
            id=token.session_id,
            username=username,
            directory=directory,
            client=client,
            address=address,
            audience=audience,
            created_at=now,
            used_at=now,
            expires_at=min(now + self._settings.session_idle, ends_at),
            ends_at=ends_at,
            refresh=state,
        )
        self._keep(session)
        return session, token

    def open_short(
        self, username: str, client: str, address: str, audience: str, ends_at: float
    ) -> Session:
        """Open a session of one access token, which cannot be refreshed (a token exchange)."""
        now = self._clock()
        session = Session(
            id=_new_id(),
            username=username,
            directory="",
            client=client,
            address=address,
            audience=audience,
            created_at=now,
            used_at=now,
            expires_at=ends_at,
            ends_at=ends_at,
            refresh=NO_REFRESH,
        )
        self._keep(session)
        return session

    def find(self, token: RefreshToken) -> Session | None:
        """Return the live session that a refresh token belongs to, None where there is none.

        The token is genuine, but perhaps used before: see `check`.
        """
        session = self._store.find(token.session_id)
        family = session.refresh.family if session is not None else b""
        genuine = hmac.compare_digest(family, refresh.digest(token.family))
        if session is None or not genuine:
            return None
        return session if session.expires_at > self._clock() else None

    def check(self, session: Session, token: RefreshToken) -> bool:
        """Whether the refresh token is good now; ends the session where it was used before."""
        if self._use(session, token) is not _Use.REUSE:
            return True
        _log.warning("refresh_token_reused_session_ended", **describe(session))
        metrics.REFRESH_TOKENS_REUSED.inc()
        self.end(session)
        return False

    def rotate(
        self, session: Session, token: RefreshToken, address: str
    ) -> tuple[Session, RefreshToken] | None:
        """Return the session as used now, and the successor of its refresh token.

        None where the token is not good, or no longer: of two that present it
        at once, one rotates and the other repeats.
        """
        found: Session | None = session
        while found is not None and self.check(found, token):
            if self._use(found, token) is _Use.RETRY:
                return found, token.successor(found.refresh.salt)
            salt = secrets.token_bytes(32)
            successor = token.successor(salt)
            after = self._used(found, successor, salt, address)
            if self._store.replace(after, found.refresh.current):
                return after, successor
            found = self._store.find(session.id)
        return None

    def end(self, session: Session) -> None:
        """End a session: no refresh token of it is good, and no access token either."""
        self._store.revoke(session.id, self._clock() + self._settings.key_overlap)
        self._revocations.refresh()

    def _keep(self, session: Session) -> None:
        self._store.create(session)
        _log.info("session_opened", **describe(session))

    def _use(self, session: Session, token: RefreshToken) -> _Use:
        state = session.refresh
        presented = refresh.digest(token.secret)
        if hmac.compare_digest(presented, state.current):
            return _Use.CURRENT
        recent = self._clock() - state.rotated_at < self._settings.refresh_grace
        if recent and hmac.compare_digest(presented, state.previous):
            return _Use.RETRY
        return _Use.REUSE

    def _used(self, session: Session, token: RefreshToken, salt: bytes, address: str) -> Session:
        now = self._clock()
        state = session.refresh._replace(
            current=refresh.digest(token.secret),
            previous=session.refresh.current,
            salt=salt,
            rotated_at=now,
        )
        return session._replace(
            address=address,
            used_at=now,
            expires_at=min(now + self._settings.session_idle, session.ends_at),
            refresh=state,
        )


def describe(session: Session) -> dict[str, str]:
    """Return what a log says of a session."""
    return {
        "session": session.id,
        "user": session.username,
        "client": session.client,
        "address": session.address,
    }


def _new_id() -> str:
    return secrets.token_urlsafe(16)
