"""Memory that this process no longer needs, given back to the system.

A reload makes a new table beside the old one, and frees the old one in pieces that
lie between what is still in use. glibc keeps such pieces, so that each reload can
leave a process a little larger, although it holds no more than before.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable


def _malloc_trim() -> Callable[[int], int]:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # another libc: there is nothing to be done
        return lambda _: 0
    return trim


_trim = _malloc_trim()


def give_back() -> None:
    """Return free pages to the system (malloc_trim(3)): milliseconds, without the GIL."""
    _trim(0)
