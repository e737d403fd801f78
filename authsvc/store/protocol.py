"""What a store is, and the values it keeps."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from authsvc.attempts import Curve


class RefreshState(NamedTuple):
    """What a store knows of a session's refresh tokens: digests, never a token.

    ``family`` is the SHA-256 of the secret that all of them carry, ``current``
    that of the one that is good, ``previous`` that of its predecessor (empty
    before the first rotation). ``salt`` is what the current one was derived
    with. All empty for a session without refresh tokens.
    """

    family: bytes = b""
    current: bytes = b""
    previous: bytes = b""
    salt: bytes = b""
    rotated_at: float = 0.0


NO_REFRESH = RefreshState()


class Session(NamedTuple):
    """One login on one device.

    ``id`` is no secret: it stands in tokens, logs and lists. ``directory`` is
    the name of the password directory that vouched, empty for a token
    exchange. ``expires_at`` moves on with use, up to ``ends_at``.
    """

    id: str
    username: str
    directory: str
    client: str
    address: str
    audience: str
    created_at: float
    used_at: float
    expires_at: float
    ends_at: float
    refresh: RefreshState = NO_REFRESH


class Store(Protocol):
    """Keeps sessions, revocations and counters; every call is atomic, from any process.

    Raises, from every method:
        BackendError: the store cannot be reached or cannot be written. Nothing was changed.
    """

    def create(self, session: Session) -> None:
        """Keep a new session."""
        ...

    def find(self, session_id: str) -> Session | None:
        """Return the session, which may have expired; None where it is unknown or revoked."""
        ...

    def replace(self, session: Session, current: bytes) -> bool:
        """Keep a session's new state if its current refresh token is still ``current``.

        Of any number of callers with the same ``current`` exactly one gets True.
        """
        ...

    def sessions(self, now: float, username: str | None = None) -> list[Session]:
        """Return the live sessions, of one user or of all, the oldest first."""
        ...

    def revoke(self, session_id: str, until: float) -> Session | None:
        """End a session and return it; list it as revoked ``until`` its last token has expired."""
        ...

    def revoke_user(self, username: str, before: float, until: float) -> list[Session]:
        """End all sessions of the user that were created before that time; return them."""
        ...

    def revoked(self, now: float) -> frozenset[str]:
        """Return the ids of the sessions whose unexpired tokens must not be honoured."""
        ...

    def admit(self, key: str, now: float, curve: Curve) -> float:
        """Count an attempt and return 0.0, or return the seconds it has to wait."""
        ...

    def forgive(self, key: str) -> None:
        """Forget the attempts of a key."""
        ...

    def withdraw(self, key: str) -> None:
        """Take one attempt of a key back."""
        ...

    def purge(self, now: float) -> int:
        """Forget what has expired; return how many sessions that were."""
        ...

    def start(self) -> None:
        """Do nothing: connections are opened by the first call in each worker."""
        ...

    def close(self) -> None:
        """Give connections back; they are opened again by the next call."""
        ...
