"""Lines of a policy file: from bytes to numbered lines, from a line to cells and back.

RFC 4180 with three choices of ours: a cell that is not quoted is stripped of
spaces and tabs, a cell never holds a line break (so that a forgotten quote can
not swallow the rows below it), and a comment has a line of its own. Nothing
here knows what the cells mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Final

BLOCK: Final = 1 << 15
"""Bytes read at a time: what one step of a load holds the interpreter for."""

MAX_ROW: Final = 1 << 20
"""Characters of the longest row."""

_BOM: Final = b"\xef\xbb\xbf"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_CELL: Final = re.compile(
    r'[ \t]*(?:"(?P<quoted>[^"]*(?:""[^"]*)*)"[ \t]*|(?P<bare>[^",]*))(?P<end>,|$)'
)
_NEEDS_QUOTES: Final = re.compile(r'[",#]|^[ \t]|[ \t]$')


class RowError(ValueError):
    """What is wrong with a line, without its place."""


def read_blocks(
    file: BinaryIO, seen: Callable[[bytes], object]
) -> Iterator[tuple[int, list[str | RowError]]]:
    """Yield blocks of lines with the number of their first; a faulty line is a RowError.

    ``seen`` is told all bytes, as they are in the file.

    A byte order mark, CRLF, and a last line without an end are accepted.
    """
    number = 1
    while block := file.readlines(BLOCK):
        seen(b"".join(block))
        if number == 1 and block[0].startswith(_BOM):
            block[0] = block[0][len(_BOM) :]
        yield number, _decode(block)
        number += len(block)


def _decode(block: list[bytes]) -> list[str | RowError]:
    try:
        text = b"".join(block).decode()
    except UnicodeDecodeError:
        return [_decode_line(line) for line in block]
    if not text.endswith("\n") or _CONTROL.search(text):
        return [_decode_line(line) for line in block]
    return [*text.split("\n")[:-1]]


def _decode_line(raw: bytes) -> str | RowError:
    try:
        line = raw.decode()
    except UnicodeDecodeError as error:
        byte = raw[error.start]
        return RowError(f"not UTF-8: byte 0x{byte:02x} at column {error.start + 1}")
    text = line.removesuffix("\n").removesuffix("\r")
    if found := _CONTROL.search(text):
        name = {"\0": "a NUL", "\r": "a lone carriage return"}.get(found.group(), "a control")
        return RowError(f"{name} character at column {found.start() + 1}")
    return text


def is_comment(line: str) -> bool:
    """Whether the line holds no row: it is blank, or a comment."""
    text = line.lstrip(" \t")
    return not text or text[0] == "#"


def split_row(line: str) -> list[str]:
    """Split a line into its cells.

    Raises:
        RowError: quotes that do not match, or a comment after the row.
    """
    if len(line) > MAX_ROW:
        raise RowError(f"longer than {MAX_ROW} characters")
    if '"' not in line:
        cells = [cell.strip(" \t") for cell in line.split(",")]
        if "#" in line:
            for cell in cells:
                _refuse_comment(cell)
        return cells
    return _split_quoted(line)


def join_row(cells: Sequence[str]) -> str:
    """Write cells as a line that is read back as the same cells."""
    return ", ".join(quote(cell) for cell in cells)


def quote(cell: str) -> str:
    """Write one cell, in quotes where it needs them."""
    return '"' + cell.replace('"', '""') + '"' if _NEEDS_QUOTES.search(cell) else cell


def _split_quoted(line: str) -> list[str]:
    cells = []
    at = 0
    while True:
        found = _CELL.match(line, at)
        if found is None:
            raise RowError(
                f"a quote that does not match at column {line.find(chr(34), at) + 1}; "
                'a quoted cell is "…" with each quote in it doubled'
            )
        cell: str | None = found["quoted"]
        if cell is None:
            cell = found["bare"].strip(" \t")
            _refuse_comment(cell)
        else:
            cell = cell.replace('""', '"')
        cells.append(cell)
        if not found["end"]:
            return cells
        at = found.end()


def _refuse_comment(cell: str) -> None:
    if cell.startswith("#") or " #" in cell or "\t#" in cell:
        raise RowError(
            "a comment after a row would be read as part of it: "
            "give it a line of its own, or quote the cell where '#' is meant"
        )
