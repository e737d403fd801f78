"""Verdicts about tokens, kept for a while (k8s.io/apiserver/pkg/authentication/token/cache).

What is kept: a MAC of the token and the audiences asked for (keyed BLAKE2b,
RFC 7693) under a key of this process, never the token; the generation of what
answered, so that after a reload nothing of the old configuration is answered.
What is not: failures. Equal tokens that arrive together share one flight to the
back end.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from enum import Enum
from hashlib import blake2b
from typing import NamedTuple

from authsvc import metrics
from authsvc.errors import BackendError
from authsvc.interfaces import Identity, TokenAuthenticator
from authsvc.tallies import Tally


class Miss(Enum):
    """Says that the cache does not know, which None (nobody's token) cannot say."""

    MISS = "miss"


_HIT = Tally(metrics.TOKEN_CACHE.labels("hit"))
_MISSED = Tally(metrics.TOKEN_CACHE.labels("miss"))
_JOINED = Tally(metrics.TOKEN_CACHE.labels("joined"))


class _Entry(NamedTuple):
    identity: Identity | None
    until: float


class _Flight:
    """One question to the back end, and those who wait for its answer."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.identity: Identity | None = None
        self.error: BaseException | None = None


class CachedTokenAuthenticator:
    """Remembers what an authenticator said.

    ``ttl`` and ``rejected_ttl`` in seconds; ``size`` in tokens, the least
    recently used leave first; 0 keeps nothing. ``generation`` changes whenever
    the authenticator may answer differently; ``withdrawn`` says of one identity
    that it is no longer good, is asked at each use and must not wait.
    """

    def __init__(  # noqa: PLR0913  the rest are given by name
        self,
        authenticator: TokenAuthenticator,
        *,
        ttl: float = 60.0,
        rejected_ttl: float = 10.0,
        size: int = 100_000,
        generation: Callable[[], Hashable] = lambda: 0,
        withdrawn: Callable[[Identity], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._authenticator = authenticator
        self._ttl = ttl
        self._rejected_ttl = rejected_ttl
        self._size = size
        self._generation = generation
        self._withdrawn = withdrawn
        self._clock = clock
        self._wall_clock = wall_clock
        self._key = os.urandom(32)
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._flights: dict[Hashable, _Flight] = {}

    def peek(self, token: str, audiences: Sequence[str]) -> Identity | Miss | None:
        """Return what is remembered of the token, or a `Miss`; never asks and never waits."""
        key = self._key_of(token, audiences)
        with self._lock:
            found = self._find(key)
        if found is not Miss.MISS:
            _HIT.inc()
        return found

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """Return what is remembered of the token, or what the authenticator says now."""
        key = self._key_of(token, audiences)
        with self._lock:
            found = self._find(key)
            if found is not Miss.MISS:
                _HIT.inc()
                return found
            flight = self._flights.get(key)
            leads = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight()
        if leads:
            _MISSED.inc()
            self._fly(flight, key, token, audiences)
        else:
            _JOINED.inc()
            flight.done.wait()
            if isinstance(flight.error, BackendError):
                raise BackendError(str(flight.error))
            if flight.error is not None:
                # Its text is a stranger's, and may quote the token.
                raise BackendError(f"{type(flight.error).__name__} in the flight that was joined")
        return flight.identity

    def _fly(self, flight: _Flight, key: Hashable, token: str, audiences: Sequence[str]) -> None:
        try:
            flight.identity = self._authenticator.authenticate_token(token, audiences)
            self._remember(key, flight.identity)
        except BaseException as error:
            flight.error = error
            raise
        finally:
            with self._lock:
                del self._flights[key]
            flight.done.set()

    def _key_of(self, token: str, audiences: Sequence[str]) -> Hashable:
        # The audiences are the asker's words, of any number and length: they go into the
        # MAC as well. With their number, and a length before each, no two are alike.
        text = token.encode("utf-8", "surrogatepass")
        if audiences:
            words = [audience.encode("utf-8", "surrogatepass") for audience in audiences]
            text = b"".join([b"%d:%b" % (len(word), word) for word in words]) + text
        digest = blake2b(text, key=self._key, digest_size=32).digest()
        return (digest, len(audiences), self._generation())

    def _find(self, key: Hashable) -> Identity | Miss | None:
        entry = self._entries.get(key)
        if entry is None:
            return Miss.MISS
        identity = entry.identity
        if (
            self._clock() >= entry.until
            or self._expired(identity)
            or (identity is not None and self._withdrawn(identity))
        ):
            del self._entries[key]
            return Miss.MISS
        self._entries.move_to_end(key)
        return identity

    def _remember(self, key: Hashable, identity: Identity | None) -> None:
        ttl = self._rejected_ttl if identity is None else self._ttl
        if not self._size or ttl <= 0 or self._expired(identity):
            return
        with self._lock:
            self._entries[key] = _Entry(identity, self._clock() + ttl)
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def _expired(self, identity: Identity | None) -> bool:
        # By the wall clock, each time: a token's end is a time of day, and the
        # clock may be stepped while an entry is kept.
        if identity is None or identity.expires_at is None:
            return False
        return self._wall_clock() >= identity.expires_at
