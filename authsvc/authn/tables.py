"""Tables of people in files: how they are read, and which rows the guard will not let pass.

A table is CSV (RFC 4180) with comments; what its cells mean is for the module
that reads it. A row that names the control plane is not an error: an error
would block the whole file, including the removal of a token. It is a doubt,
which an administrator hears of before the first user is refused.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from authsvc.authn.guard import is_reserved
from authsvc.errors import InvalidPolicyError, PolicyError
from authsvc.interfaces import UserInfo

K = TypeVar("K")
V = TypeVar("V")


class Table(dict[K, V]):
    """Users by their key (a token's hash, a name); ``doubts``: what the guard will not let pass."""

    def __init__(self) -> None:
        super().__init__()
        self.doubts: list[PolicyError] = []


class Row(NamedTuple, Generic[K, V]):
    """What a row means: its key, the value that is kept under it, and the user."""

    key: K
    value: V
    user: UserInfo


def read_table(
    file: Path, parse_row: Callable[[list[str]], Row[K, V]], *, key: str, delimiter: str = ","
) -> Table[K, V]:
    """Read a table. ``key`` is what no two rows may share, in an administrator's words.

    ``parse_row`` is given the cells without the spaces round them, and raises
    ValueError where they mean nothing.

    Raises:
        InvalidPolicyError: every error of the file with its line; never with a
            cell, unless ``parse_row`` quotes one.
    """
    name, lines = str(file), _Lines(_read_text(file))
    table: Table[K, V] = Table()
    first_lines: dict[K, int] = {}
    errors: list[PolicyError] = []
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    start = 1
    try:
        for cells in reader:
            line, start = start, reader.line_num + 1
            if not cells or cells == [""]:
                continue
            try:
                _refuse_comment(cells[2:])  # a token or a password's hash comes before
                row = parse_row([cell.strip() for cell in cells])
            except ValueError as error:
                errors.append(PolicyError(name, line, str(error)))
                continue
            first = first_lines.setdefault(row.key, line)
            if first != line:
                errors.append(PolicyError(name, line, f"the same {key} as in line {first}"))
            table[row.key] = row.value
            table.doubts += _doubts(name, line, row.user)
    except csv.Error as error:
        errors.append(PolicyError(name, start, str(error)))
    if not (table or errors or lines.commented):
        message = f"empty: a comment in it would say that no {key} is meant"
        errors.append(PolicyError(name, 0, message))
    if errors:
        raise InvalidPolicyError(errors)
    return table


def parse_groups(cell: str) -> tuple[str, ...]:
    """Return the groups of a cell (``group1,group2``), sorted and unique."""
    return tuple(sorted({group.strip() for group in cell.split(",")} - {""}))


def _refuse_comment(cells: Sequence[str]) -> None:
    if any(re.search(r"(^|\s)#", cell) for cell in cells):
        raise ValueError(
            "a comment behind a row would be read as part of it: give it a line of its own"
        )


def _read_text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        message = (error.strerror or "cannot be read").lower()
    except UnicodeDecodeError as error:
        message = f"not UTF-8 at byte {error.start}"
    raise InvalidPolicyError([PolicyError(str(file), 0, message)])


class _Lines:
    """The lines of a table with nothing in place of a comment; ``commented``: there was one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.commented = False

    def __iter__(self) -> Iterator[str]:
        # splitlines would split a name at U+2028. A comment is no CSV: quotes in it are its own.
        for line in io.StringIO(self._text, newline=""):
            if line.lstrip().startswith("#"):
                self.commented = True
                yield "\n"
            else:
                yield line


def _doubts(file: str, line: int, user: UserInfo) -> Sequence[PolicyError]:
    """Return what the guard (`guard_user`) will refuse of a row."""
    found = [
        f"group {group!r} is the control plane's: it is left out"
        for group in user.groups
        if is_reserved(group)
    ]
    if is_reserved(user.username):
        found = [f"user {user.username!r} is the control plane's: it is refused"]
    return [PolicyError(file, line, message) for message in found]
