"""Manners of a long load: it runs in a background thread while decisions go on."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

STEP = 512
"""Rows between two breaths."""


def breathe() -> None:
    """Let other threads run, where this is not the main one.

    A thread that only computes gives up the interpreter each 5 ms, which is
    long for a decision; giving it up after each step keeps the wait below the
    time of a step.
    """
    if threading.current_thread() is not threading.main_thread():
        time.sleep(0.00005)


@contextmanager
def quiet_gc() -> Iterator[None]:
    """Keep the cycle collector from walking a growing table again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
