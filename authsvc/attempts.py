"""How guessing passwords is slowed: the one counter for every place that takes a password.

After a few free failures each further attempt on the same key has to wait,
twice as long each time. A key is what is being guessed at (``user:alice``) or
where from (``address:192.0.2.7``). An attempt counts as failed from the moment
it is admitted until its outcome is known, so that a hundred at once get no more
tries than a hundred in a row.

Whoever checks a password calls `counted` round the check, with the counter it
was given. Counters here live in one process; those shared by workers and
machines are in ``authsvc.store``. Standard library only.
"""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

from authsvc.errors import BackendError

T = TypeVar("T")


class Curve(NamedTuple):
    """How long failures slow a key; all in seconds.

    ``free`` failures cost nothing; the next attempt waits ``first_wait``, the
    one after twice that, up to ``longest_wait``. A key is forgotten
    ``forget_after`` its last failure. The default lets at most seven guesses
    into any fifteen minutes, below the usual lockout threshold of ten.
    """

    free: int = 3
    first_wait: float = 30.0
    longest_wait: float = 900.0
    forget_after: float = 3600.0

    def wait_after(self, failures: int) -> float:
        """Return how long after the last of so many failures the next attempt has to wait."""
        doublings = failures - self.free
        if doublings < 0:
            return 0.0
        return min(self.first_wait * 2.0 ** min(doublings, 64), self.longest_wait)


class TooManyAttemptsError(BackendError):
    """An attempt that was refused unheard: no verdict on the password, so a BackendError.

    ``retry_after``: seconds until the next attempt is admitted.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__("too many failed attempts")
        self.retry_after = retry_after


class AttemptCounter(Protocol):
    """Counts failed attempts by key. Atomic in each call, whoever shares it.

    Raises, from every method:
        BackendError: the shared counters cannot be reached.
    """

    def admit(self, key: str) -> float:
        """Count an attempt as failed and return 0.0, or return the seconds it has to wait.

        A refused attempt is not counted.
        """
        ...

    def succeeded(self, key: str) -> None:
        """Forget the failures of the key: its attempt was good."""
        ...

    def withdrawn(self, key: str) -> None:
        """Take one admitted attempt back: it ended without a verdict."""
        ...


def user_key(username: str) -> str:
    """Return the key of a user as typed; spellings that a directory takes for one are one.

    It is a digest: people type passwords into the field for the name, and keys
    are stored and logged.
    """
    name = " ".join(unicodedata.normalize("NFKC", username).casefold().split())
    return "user:" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def address_key(address: str) -> str:
    """Return the key of an address; all of an IPv6 /64, which is one subscriber's, share one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "address:unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return f"address:{parsed.ipv4_mapped}"
        return f"address:{ipaddress.ip_network((int(parsed), 64), strict=False)}"
    return f"address:{parsed}"


def counted(
    counter: AttemptCounter, key: str, attempt: Callable[[], T | None], *, clears: bool = True
) -> T | None:
    """Return what the attempt returns, None being a failure; refuse it when it is too early.

    ``clears``: a success forgets the key's failures. False for an address,
    which somebody with one good account of their own must not be able to clear.

    Raises:
        TooManyAttemptsError: the attempt was not made.
        BackendError: from the attempt, which then does not count; from the counter.
    """
    wait = counter.admit(key)
    if wait > 0:
        raise TooManyAttemptsError(wait)
    try:
        answer = attempt()
    except BaseException:
        counter.withdrawn(key)
        raise
    if answer is not None:
        (counter.succeeded if clears else counter.withdrawn)(key)
    return answer


class MemoryAttemptCounter:
    """An AttemptCounter of one process, bounded to ``max_keys``.

    Of those that do not have to wait yet and of those that do, the keys longest
    untouched are forgotten first; each kind is sure of half of the room. So
    names that somebody invents, each for one attempt, end nobody's wait, nor do
    invented names that have to wait leave no room to count at others.
    """

    def __init__(
        self, curve: Curve, *, max_keys: int = 100_000, clock: Callable[[], float] = time.time
    ) -> None:
        self._curve = curve
        self._max_keys = max_keys
        self._clock = clock
        self._lock = threading.Lock()
        # By key, the number of failures and when the last one was.
        self._free: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._slowed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def admit(self, key: str) -> float:
        """See AttemptCounter."""
        now = self._clock()
        with self._lock:
            failures, last = self._slowed.get(key) or self._free.get(key, (0, now))
            if now - last >= self._curve.forget_after:
                failures = 0
            wait = last + self._curve.wait_after(failures) - now if failures else 0.0
            if wait > 0:
                return wait
            self._forget(key)
            self._keep(key, failures + 1, now)
        return 0.0

    def succeeded(self, key: str) -> None:
        """See AttemptCounter."""
        with self._lock:
            self._forget(key)

    def withdrawn(self, key: str) -> None:
        """See AttemptCounter."""
        with self._lock:
            failures, last = self._forget(key)
            if failures > 1:
                self._keep(key, failures - 1, last)

    def _forget(self, key: str) -> tuple[int, float]:
        return self._slowed.pop(key, None) or self._free.pop(key, (0, 0.0))

    def _keep(self, key: str, failures: int, last: float) -> None:
        kind = self._free if failures < self._curve.free else self._slowed
        kind[key] = (failures, last)
        if len(self._free) + len(self._slowed) > self._max_keys:
            fuller = self._slowed if len(self._slowed) > self._max_keys // 2 else self._free
            fuller.popitem(last=False)
