"""What wakes a main process: signals, and threads that wait for its children."""

from __future__ import annotations

import contextlib
from queue import Empty, SimpleQueue


class SignalSafeEvent:
    """A `threading.Event` that a signal's handler can set, whatever it came upon.

    An Event's own lock may be held just then, by the very thread that handles.
    """

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()

    def set(self) -> None:
        """Wake who waits, or who will."""
        self._rings.put(None)

    def wait(self, timeout: float) -> None:
        """Wait until it is set, for some seconds at most."""
        with contextlib.suppress(Empty):
            self._rings.get(timeout=timeout)

    def clear(self) -> None:
        """Forget that it was set."""
        with contextlib.suppress(Empty):
            while True:
                self._rings.get_nowait()
