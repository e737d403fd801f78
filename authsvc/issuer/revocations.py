"""Which sessions ended before their tokens did: the list, as last read from the store.

It is short (a session stays on it for as long as an access token lives), so
every worker holds all of it and reads it anew every two seconds; a TokenReview
never waits for the store. While the store is down the last known list holds.
That loses nothing: with the store down no session can be revoked, and a worker
that is cut off from a store that others still reach honours what they revoked
for the life of an access token at most. A worker that has never read the list
knows nothing: it says so, rather than honour a revoked token.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from authsvc import metrics
from authsvc.background import Background
from authsvc.errors import BackendError
from authsvc.store.protocol import Store

POLL_SECONDS = 2.0
_PURGE_EVERY = 300  # polls: ten minutes

_log = structlog.get_logger()


class Revocations:
    """The revoked sessions of a store. Also has the store forget what has expired."""

    def __init__(
        self, store: Store, clock: Callable[[], float], poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._store = store
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._known: frozenset[str] | None = None
        self._healthy = True
        self._background = Background("revocations", self._poll)

    def __contains__(self, session_id: str) -> bool:
        """Whether a session was revoked.

        Raises:
            BackendError: the list was never read, and cannot be read now.
        """
        known = self._known
        if known is None:
            known = self._known = self._store.revoked(self._clock())
        return session_id in known

    def refresh(self) -> None:
        """Read the list now; keep the last known one where that fails."""
        try:
            self._known = self._store.revoked(self._clock())
        except BackendError as error:
            if self._healthy:
                _log.error("revocations_unread_last_known_kept", error=str(error))
            self._healthy = False
        except Exception:  # noqa: BLE001  a fault of ours costs this look, never the next
            _log.error("revocations_unread_last_known_kept", exc_info=True)
            self._healthy = False
        else:
            if not self._healthy:
                _log.info("revocations_read_again")
            self._healthy = True
        type_ = type(self._store).__name__.removesuffix("Store")
        metrics.STORE_UP.labels(type_).set(self._healthy)

    def start(self) -> None:
        """Start reading, once per process."""
        self._background.start()

    def close(self) -> None:
        """Stop reading."""
        self._background.close()

    def _poll(self) -> None:
        polls = 0
        while True:
            self.refresh()
            if polls % _PURGE_EVERY == 0:
                self._purge()
            polls += 1
            if self._background.wait(self._poll_seconds):
                return

    def _purge(self) -> None:
        try:
            self._store.purge(self._clock())
        except BackendError as error:
            _log.warning("store_not_purged", error=str(error))
        except Exception:  # noqa: BLE001  as above
            _log.error("store_not_purged", exc_info=True)
