"""Rows in columns: what changes are the spaces between cells, and nothing else.

A block is what stands between blank lines. The rows of a block line up, those
of a type among themselves, and so does a comment that names the columns
(``# who, where, …``). A cell wider than its column's others pushes only its own
row. Comments and blank lines stay, cells stay as they are written, but for
quotes that are not needed.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from authsvc.errors import InvalidPolicyError, PolicyError
from authsvc.policy import lines

_WIDEST: Final = 72
"""Characters of a cell up to which it makes its column wider."""

_GRANT_HEADS: Final = ("role", "is")


class _Line(NamedTuple):
    """A line: a row's cells, or a comment's that names columns, or else its text."""

    cells: tuple[str, ...]
    text: str
    kind: str


def format_text(content: bytes, file: str, *, sort: bool = False) -> str:
    """Return a file's text with its rows in columns.

    ``sort`` puts the rows of each run without comments in an order that does
    not depend on who wrote them: by type, then cell by cell.

    Raises:
        InvalidPolicyError: every line that is no row, with its place.
    """
    read = list(_read(content, file))
    formatted: list[str] = []
    for block in _blocks(read):
        formatted += _format(_sorted(block) if sort else block)
    return "".join(f"{line}\n" for line in formatted)


def _read(content: bytes, file: str) -> Iterator[_Line]:
    errors = []
    found: list[_Line] = []
    for first, block in lines.read_blocks(io.BytesIO(content), len):
        for number, line in enumerate(block, first):
            try:
                if isinstance(line, lines.RowError):
                    raise line
                found.append(_line(line))
            except lines.RowError as error:
                errors.append(PolicyError(file, number, str(error)))
    if errors:
        raise InvalidPolicyError(errors)
    return iter(found)


def _line(line: str) -> _Line:
    text = line.rstrip(" \t")
    if lines.is_comment(line):
        return _Line(_head(text), text.lstrip(" \t"), "#")
    cells = tuple(lines.split_row(line))
    return _Line(cells, text, cells[0])


def _head(comment: str) -> tuple[str, ...]:
    """Return the cells of a comment that names columns; none where it is another one."""
    words = [word.strip() for word in comment.strip().lstrip("#").split(",")]
    if words[0] == "who" and len(words) >= 3 and all(word.isidentifier() for word in words):
        return ("#", *words)
    return ()


def _blocks(every: Iterable[_Line]) -> Iterator[list[_Line]]:
    block: list[_Line] = []
    for line in every:
        if line.kind == "#" and not line.text:
            yield block
            yield [line]
            block = []
        else:
            block.append(line)
    yield block


def _sorted(block: Sequence[_Line]) -> list[_Line]:
    done: list[_Line] = []
    run: list[_Line] = []
    for line in block:
        if line.kind == "#":
            done += [*sorted(run, key=_order), line]
            run = []
        else:
            run.append(line)
    return done + sorted(run, key=_order)


def _order(line: _Line) -> tuple[bool, tuple[str, ...]]:
    return line.kind != "p", line.cells


def _format(block: Sequence[_Line]) -> list[str]:
    kinds = [_kind(line, block) for line in block]
    widths = {
        kind: _widths(line.cells for line, own in zip(block, kinds, strict=True) if own == kind)
        for kind in set(kinds)
    }
    return [
        line.text if kind == "#" else _join(line.cells, widths[kind])
        for line, kind in zip(block, kinds, strict=True)
    ]


def _kind(line: _Line, block: Sequence[_Line]) -> str:
    """Return the type of rows that a line lines up with; "#" where it stands alone."""
    if line.kind != "#" or not line.cells:
        return line.kind
    named = "g" if line.cells[2] in _GRANT_HEADS else "p"
    return named if any(one.kind == named for one in block) else "#"


def _widths(rows: Iterable[Sequence[str]]) -> list[int]:
    widths: list[int] = []
    for row in rows:
        # The last cell has nothing after it, so its width is nobody's concern.
        for at, cell in enumerate(row[:-1]):
            size = len(lines.quote(cell))
            if at == len(widths):
                widths.append(0)
            widths[at] = max(widths[at], size if size <= _WIDEST else 0)
    return widths


def _join(cells: Sequence[str], widths: Sequence[int]) -> str:
    if cells[0] == "#":  # "# who," is as wide as "p, who,"
        begin, second, written = "# ", 1, list(cells)
    else:
        begin, second, written = f"{cells[0]}, ", 0, [lines.quote(cell) for cell in cells]
    padded = [
        f"{cell}, ".ljust(widths[at] + 2 + (second if at == 1 else 0))
        for at, cell in enumerate(written[1:-1], 1)
    ]
    return begin + "".join(padded) + written[-1]
