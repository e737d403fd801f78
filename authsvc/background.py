"""A thread that works beside the requests, for the parts that have one: started once, joined."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Background:
    """Runs ``work`` in a daemon thread of that name, until it is closed; may be started again.

    ``work`` is to return when `wait` says so.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._name = name
        self._work = work
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def runs(self) -> bool:
        """Whether it was started, and not closed since."""
        return self._thread is not None

    def start(self) -> None:
        """Start the thread, once per process."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Say that it is to stop, and wait until it has."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stop.set()
            thread.join()

    def wait(self, seconds: float) -> bool:
        """Wait, in the thread, and return whether it is to stop: at once when that is said."""
        return self._stop.wait(seconds)
