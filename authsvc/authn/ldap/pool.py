"""Connections to one server that are kept and shared by threads.

A connection is lent to one thread for one operation. One that died while it
lay idle is replaced without the borrower noticing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from authsvc.authn.deadline import Deadline
from authsvc.authn.ldap.connection import Connection
from authsvc.authn.ldap.errors import ServerUnavailableError
from authsvc.errors import BackendError

T = TypeVar("T")


class Pool:
    """At most ``size`` connections at a time; ``idle`` seconds unused and one is not used again."""

    def __init__(self, open_: Callable[[Deadline], Connection], size: int, idle: float) -> None:
        self._open = open_
        self._idle_seconds = idle
        self._free = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[tuple[Connection, float]] = []
        self._closed = False

    def run(self, operation: Callable[[Connection, Deadline], T], deadline: Deadline) -> T:
        """Return what the operation returns, on a kept connection or a new one.

        The operation is done again on a new connection if a kept one fails
        under it, and is given half of the time at first: a peer that went away
        without a word is not told from a slow one by anything but time.

        Raises:
            ServerUnavailableError: a new connection fails, too.
            BackendError: all connections are in use for most of the time, which says nothing
                of the server.
            TimeoutError: the deadline has passed.
        """
        given = deadline.left()
        if not self._free.acquire(timeout=given):
            raise BackendError("all LDAP connections are in use")
        try:
            if deadline.left() < given / 4:
                raise BackendError("all LDAP connections were in use for too long")
            kept = self._take()
            if kept is not None:
                try:
                    return self._use(kept, operation, deadline.share(2))
                except ServerUnavailableError:
                    self.clear()  # the others came through the same network
            return self._use(self._open(deadline), operation, deadline)
        finally:
            self._free.release()

    def clear(self) -> None:
        """Close the connections that are not in use."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def close(self) -> None:
        """Close the connections; those in use when they come back."""
        self._closed = True
        self.clear()

    def open(self) -> None:
        """Take connections back from now on."""
        self._closed = False

    def _use(
        self,
        connection: Connection,
        operation: Callable[[Connection, Deadline], T],
        deadline: Deadline,
    ) -> T:
        try:
            return operation(connection, deadline)
        except ServerUnavailableError:
            connection.close()  # also one that says it is busy: another may be sent elsewhere
            raise
        finally:
            self._give_back(connection)

    def _give_back(self, connection: Connection) -> None:
        if self._closed:
            connection.close()
        if not connection.closed:
            with self._lock:
                self._idle.append((connection, time.monotonic()))

    def _take(self) -> Connection | None:
        """Return the connection used last, if it still looks alive."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection, since = self._idle.pop()
            if time.monotonic() - since < self._idle_seconds and not connection.stale:
                return connection
            connection.close()
