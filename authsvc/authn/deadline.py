"""One point in time by which everything is over, the resolution of a name included.

A timeout per read is no bound: a server that sends a byte a second never meets
it. What is under a `Deadline` is given what is left of the whole each time.

The system's resolver takes no timeout (``getaddrinfo`` waits as long as
resolv.conf says, or a module of nsswitch.conf likes), so it is asked in a thread
that is left behind where it is late. Those who want the same name wait for the
same thread, so that a resolver that hangs holds few of them.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from contextlib import suppress

STUCK_SECONDS = 30.0
"""A look-up of that age is not waited for by others: longer than resolv.conf's usual patience."""

MAX_LOOKUPS = 32
"""Look-ups at a time, those included that nobody waits for any more."""


class Deadline:
    """A point on the monotonic clock."""

    __slots__ = ("_at",)

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @classmethod
    def at(cls, moment: float) -> Deadline:
        """Return the deadline at a moment of the monotonic clock."""
        deadline = cls(0.0)
        deadline._at = moment
        return deadline

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: there are none.
        """
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline exceeded")
        return left

    def share(self, parts: int) -> Deadline:
        """Return the deadline for one of ``parts`` things that are still to be tried in turn."""
        return Deadline(max(self._at - time.monotonic(), 0.0) / parts)


def resolve(host: str, deadline: Deadline) -> tuple[str, ...]:
    """Return the addresses of a host, in the system's order of preference.

    Raises:
        TimeoutError: none was found before the deadline, or too many look-ups
            hang already.
        OSError: it has none.
    """
    with suppress(ValueError):
        return (str(ipaddress.ip_address(host)),)
    lookup = _lookups.of(host)
    if not lookup.done.wait(deadline.left()):
        raise TimeoutError("the resolver did not answer in time")
    if not lookup.addresses:
        raise OSError(lookup.fault)
    return lookup.addresses


class _Lookup:
    """One question to the system's resolver, and what came of it."""

    def __init__(self) -> None:
        self.asked_at = time.monotonic()
        self.done = threading.Event()
        self.addresses: tuple[str, ...] = ()
        self.fault = "the name has no address"


class _Lookups:
    """The questions that the system's resolver has not answered yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: dict[str, _Lookup] = {}
        self._running = 0

    def of(self, host: str) -> _Lookup:
        """Return the look-up of a host that is under way, or a new one."""
        with self._lock:
            lookup = self._newest.get(host)
            if lookup is not None and time.monotonic() - lookup.asked_at < STUCK_SECONDS:
                return lookup
            if self._running >= MAX_LOOKUPS:
                raise TimeoutError("the resolver has left too many names unanswered")
            lookup = self._newest[host] = _Lookup()
            self._running += 1
        try:
            threading.Thread(
                target=self._run, args=(host, lookup), name=f"resolve-{host}", daemon=True
            ).start()
        except RuntimeError:
            self._end(host, lookup)
            raise OSError("no thread can be started") from None
        return lookup

    def _run(self, host: str, lookup: _Lookup) -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            lookup.addresses = tuple(dict.fromkeys(str(each[4][0]) for each in found))
        except (OSError, UnicodeError) as error:
            lookup.fault = str(error)
        finally:
            self._end(host, lookup)

    def _end(self, host: str, lookup: _Lookup) -> None:
        with self._lock:
            self._running -= 1
            if self._newest.get(host) is lookup:
                del self._newest[host]
        lookup.done.set()


_lookups = _Lookups()
