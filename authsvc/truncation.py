"""Files that were cut: one that ended its last line, and no longer does.

Whether the last line of a CSV file ends is left open by RFC 4180, and editors
differ, so a file may always have been without. One that loses its last line end
was written by half, and must not be taken even where what is left of the last
row makes sense: a grant whose end of time was cut off would hold for ever.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from authsvc.errors import InvalidPolicyError, PolicyError

T = TypeVar("T")


def refuse_truncated(load: Callable[[], T], path: Path) -> Callable[[], T]:
    """Return a ``load`` that refuses files which were cut since it last succeeded.

    ``path`` is the file, or the folder whose ``*.csv`` are meant. What it
    returns raises InvalidPolicyError besides what ``load`` raises.
    """
    ended: set[Path] = set()

    def load_complete() -> T:
        value = load()
        now = {file: _ends_its_last_line(file) for file in _files(path)}
        cut = [file for file in now if file in ended and not now[file]]
        if cut:
            message = "the last line does not end any more: is the file half written?"
            raise InvalidPolicyError(PolicyError(str(file), 0, message) for file in cut)
        ended.clear()
        ended.update(file for file in now if now[file])
        return value

    return load_complete


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.glob("*.csv") if not file.name.startswith("."))


def _ends_its_last_line(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            opened.seek(-1, os.SEEK_END)
            return opened.read(1) == b"\n"
    except OSError:  # gone by now, or empty: the next look at the files sees it
        return False
