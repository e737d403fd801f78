"""What a long load owes the others: it runs in a background thread while decisions go on."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

STEP = 512
"""Rows from one ``yield_gil`` to the next."""


def yield_gil() -> None:
    """Let other threads run, where this is not the main one.

    A thread that only computes gives up the interpreter each 5 ms, which is
    long for a decision; giving it up after each step keeps the wait below the
    time of a step.
    """
    if threading.current_thread() is not threading.main_thread():
        time.sleep(0.00005)


@contextmanager
def gc_frozen() -> Iterator[None]:
    """Keep the cycle collector away from a table, while it grows and afterwards.

    It would walk a growing table again and again, and then a million rows in
    one go, with every other thread waiting. Policy tables hold no cycles: they
    are freed without it. What else is alive now is exempted with them; of that,
    a few objects may never be found if they come to be garbage in a cycle. What
    is garbage already is collected before, where a server has exempted the rest.
    """
    enabled = gc.isenabled()
    if gc.get_freeze_count():
        gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
