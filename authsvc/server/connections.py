"""Which connections a worker of gunicorn's keeps, where there are too many.

Reviews come from holders of a certificate. Whoever can reach the port can connect
without one as well, for probes and for the login, and connections cost memory: so
those have a share of the places, and give theirs up to others, the oldest first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

# Of all places, one in so many may be taken by clients without a certificate.
_ANONYMOUS_SHARE = 10


class Connection(Protocol):
    """As much of a connection as is asked here; ``active``: requests that are being answered."""

    active: int

    def close(self) -> None:
        """Close it, once all is sent."""
        ...

    def abort(self) -> None:
        """Close it at once."""
        ...


class Connections:
    """A worker's connections, ``most`` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._most_anonymous = max(1, most // _ANONYMOUS_SHARE)
        self._all: set[Connection] = set()
        self._anonymous: dict[Connection, None] = {}  # in the order in which they came

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._all))

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, connection: Connection, *, anonymous: bool) -> bool:
        """Take a connection, if need be for an idle anonymous one; False: there is no place."""
        is_full = len(self._all) >= self._most or (
            anonymous and len(self._anonymous) >= self._most_anonymous
        )
        if is_full and not self._close_oldest_idle():
            return False
        self._all.add(connection)
        if anonymous:
            self._anonymous[connection] = None
        return True

    def discard(self, connection: Connection) -> None:
        """Forget one that has ended."""
        self._all.discard(connection)
        self._anonymous.pop(connection, None)

    def _close_oldest_idle(self) -> bool:
        for connection in self._anonymous:
            if not connection.active:
                self.discard(connection)
                connection.abort()
                return True
        return False
