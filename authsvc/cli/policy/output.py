"""What the policy commands print with: tables that fit, colour, and progress.

Colour and progress are for terminals: neither comes where the output goes into
a file or a pipe, nor where NO_COLOR is set (no-color.org).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TextIO

import click

_NARROW = 20
"""Columns that text gets at the least, though it be too wide then."""

_PATIENCE = 1.0
"""Seconds without a word that nobody minds."""


def style(text: str, **how: Any) -> str:
    """Return a text in colour, where the output is a terminal that wants it."""
    return click.style(text, **how) if coloured() else text


def coloured() -> bool:
    """Whether to print colours."""
    return _is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")


def width() -> int:
    """Return the columns of the terminal; 80 where it is none, so that files are alike."""
    return shutil.get_terminal_size((80, 24)).columns if _is_terminal(sys.stdout) else 80


def _is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal; None is one that was closed before the start."""
    return stream is not None and stream.isatty()


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    elastic: int,
    colour: str | None = None,
) -> Iterator[str]:
    """Yield the lines of a table; the ``elastic`` column wraps, at its bars, until it fits."""
    every = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(row[at]) for row in every) for at in range(len(head))]
    others = sum(widths) - widths[elastic] + 2 * (len(head) - 1)
    widths[elastic] = min(widths[elastic], max(width() - others, _NARROW))
    for number, row in enumerate(every):
        for line in _wrapped(row, widths, elastic):
            yield style(line, bold=True) if number == 0 else style(line, fg=colour)


def _wrapped(row: Sequence[str], widths: Sequence[int], elastic: int) -> Iterator[str]:
    pieces = wrap(row[elastic], widths[elastic])
    for at, piece in enumerate(pieces):
        cells = [
            (piece if column == elastic else text if at == 0 else "").ljust(widths[column])
            for column, text in enumerate(row)
        ]
        yield "  ".join(cells).rstrip()


def wrap(text: str, columns: int) -> list[str]:
    """Break a text into lines: behind a bar or at a space, or where there is neither, anywhere."""
    columns = max(columns, _NARROW)
    lines = [""]
    for word in re.split(r"(?<=[| ])", text):
        if lines[-1] and len(lines[-1]) + len(word.rstrip()) > columns:
            lines.append("")
        while len(word) > columns:
            free = columns - len(lines[-1])
            lines[-1] += word[:free]
            word = word[free:]  # noqa: PLW2901  the rest of it
            lines.append("")
        lines[-1] += word
    return [line.rstrip() for line in lines]


class Progress:
    """Says what takes so long, from the second second on, on a terminal's stderr.

    ``step`` counts. Where results are printed at the same time, ``beside`` is
    where to: on a terminal they show that it goes on.
    """

    def __init__(self, text: str, *, beside: TextIO | None = None) -> None:
        self._text = text
        self._shown = _is_terminal(sys.stderr) and not _is_terminal(beside)
        self._done = 0
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def step(self, count: int = 1) -> None:
        """Count."""
        self._done += count

    def __enter__(self) -> Self:
        if self._shown:
            self._thread = threading.Thread(target=self._tell, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def _tell(self) -> None:
        told = False
        while not self._end.wait(_PATIENCE if not told else 0.2):
            told = True
            count = f" {self._done:,}" if self._done else ""
            sys.stderr.write(f"\r{self._text}{count} …\x1b[K")
            sys.stderr.flush()
        if told:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def as_json(value: object) -> str:
    """Return one JSON document: what ``-o json`` prints."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def plural(count: int, what: str) -> str:
    """Return ``1 row``, ``2 rows``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


@contextmanager
def refusing() -> Iterator[None]:
    """Make an error of ours exit status 2, where 1 is an answer: as diff(1) does."""
    from authsvc.errors import AuthsvcError

    try:
        yield
    except AuthsvcError as error:
        for line in str(error).splitlines():
            click.echo(f"error: {line}", err=True)
        raise SystemExit(2) from None
