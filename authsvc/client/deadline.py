"""A limit on the whole of a piece of work, however many steps it has.

A socket's own timeout begins anew with each byte; an alarm does not. Only for
the main thread, which is where this program works.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise TimeoutError inside the block once ``seconds`` have passed.

    An alarm that was already set, by a test runner say, is set again afterwards.
    """
    began = time.monotonic()
    former_handler = signal.signal(signal.SIGALRM, _raise)
    former_seconds, former_interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former_handler)
        if former_seconds:
            left = former_seconds - (time.monotonic() - began)
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001), former_interval)


def _raise(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError
