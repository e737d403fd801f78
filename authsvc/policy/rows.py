"""Rows of a policy with their places.

Rules (``p``) and grants (``g``) are kept as columns: a row is numbers and
shared strings, so a million of them fit into memory, and it becomes a named
tuple only where one is looked at. A table is filled by the reader and never
changed afterwards.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

from authsvc.policy import globs
from authsvc.policy.cells import What
from authsvc.policy.conditions import When


class Rule(NamedTuple):
    """A ``p`` row; the cells are as they are written.

    ``file`` is the policy folder's name and the file's: ``policy/team-a.csv``.
    """

    file: str
    line: int
    who: str
    where: str
    what: str
    which: str
    may: str
    effect: str
    when: str = ""

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"


class Grant(NamedTuple):
    """A ``g`` row; the cells are as they are written, the times empty where there are none."""

    file: str
    line: int
    who: str
    role: str
    where: str
    since: str = ""
    until: str = ""

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"


class Action(NamedTuple):
    """A pair of ``what`` and ``may`` that rules share, as written and as read.

    ``verbs`` None is every verb.
    """

    what: str
    may: str
    target: What
    verbs: frozenset[str] | None


class Period(NamedTuple):
    """When a grant holds: seconds since the epoch, with the cells as written."""

    begin: float | None
    end: float | None
    since: str
    until: str

    def covers(self, now: float) -> bool:
        """Whether the grant holds at that time; its end is outside."""
        return (self.begin is None or self.begin <= now) and (self.end is None or now < self.end)


class _Places:
    """Where each row stands: rows are in the order of their files, so a file is where it begins."""

    def __init__(self) -> None:
        self.lines = array("I")
        self._files: list[str] = []
        self._starts: list[int] = []

    def open_file(self, file: str) -> None:
        self._files.append(file)
        self._starts.append(len(self.lines))

    def rows_of(self, file: str) -> range:
        at = self._files.index(file)
        return range(*[*self._starts, len(self.lines)][at : at + 2])

    def of(self, row: int) -> tuple[str, int]:
        return self._files[bisect_right(self._starts, row) - 1], self.lines[row]


class Rules(Sequence[Rule]):
    """All rules. The columns are public: the index and the lint read them in bulk."""

    def __init__(self) -> None:
        self.who: list[str] = []
        self.where: list[globs.Pattern] = []
        self.which: list[globs.Pattern] = []
        self.action = array("I")
        self.deny = bytearray()
        self.when: dict[int, tuple[str, When]] = {}
        self.actions: list[Action] = []
        self.places = _Places()

    def __len__(self) -> int:
        return len(self.who)

    @overload
    def __getitem__(self, index: int) -> Rule: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Rule]: ...
    def __getitem__(self, index: int | slice) -> Rule | Sequence[Rule]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        row = range(len(self))[index]
        action = self.actions[self.action[row]]
        return Rule(
            *self.places.of(row),
            self.who[row],
            globs.written(self.where[row]),
            action.what,
            globs.written(self.which[row]),
            action.may,
            "deny" if self.deny[row] else "allow",
            self.when[row][0] if row in self.when else "",
        )

    def __iter__(self) -> Iterator[Rule]:
        return (self[row] for row in range(len(self)))


class Grants(Sequence[Grant]):
    """All grants, as columns."""

    def __init__(self) -> None:
        self.who: list[str] = []
        self.role: list[str] = []
        self.where: list[globs.Pattern] = []
        self.period: dict[int, Period] = {}
        self.places = _Places()

    def __len__(self) -> int:
        return len(self.who)

    @overload
    def __getitem__(self, index: int) -> Grant: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Grant]: ...
    def __getitem__(self, index: int | slice) -> Grant | Sequence[Grant]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        row = range(len(self))[index]
        period = self.period.get(row)
        return Grant(
            *self.places.of(row),
            self.who[row],
            self.role[row],
            globs.written(self.where[row]),
            period.since if period else "",
            period.until if period else "",
        )

    def __iter__(self) -> Iterator[Grant]:
        return (self[row] for row in range(len(self)))


class Rows(NamedTuple):
    """A policy as it was read and checked.

    ``files`` are all, ``filled`` those with rows; ``digest`` is that of their
    names and bytes.
    """

    rules: Rules
    grants: Grants
    files: tuple[str, ...]
    filled: frozenset[str]
    digest: str
