"""From rows to the tables of the index: which rows a subject or role leads to.

Nine subjects of ten have a row or two: those are kept as bare row numbers, so
that a million subjects fit into memory. Only a holder of many gets a table.
Rules and grants are numbered as one: the rules first.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from authsvc.policy import cells
from authsvc.policy.actions import DENY
from authsvc.policy.globs import Pattern
from authsvc.policy.manners import STEP, breathe
from authsvc.policy.patterns import PatternTable
from authsvc.policy.rows import Grants, Period, Rows

FEW: Final = 8
"""Rows up to which looking at each is cheaper than a table."""

_Names: TypeAlias = tuple[int, ...] | PatternTable[int]
_Scopes: TypeAlias = tuple[int, ...] | PatternTable[_Names]


class Timed:
    """Roles that are held for a time."""

    __slots__ = ("_period", "_roles")

    def __init__(self, roles: tuple[str, ...], period: Period) -> None:
        self._roles = roles
        self._period = period

    def at(self, now: float) -> tuple[str, ...]:
        """Return the roles where they are held at that time."""
        return self._roles if self._period.covers(now) else ()


class Many:
    """The rows of a holder of many: rules by action, where and which; grants by where."""

    __slots__ = ("_allow", "_deny", "_grants", "_scopes")

    def __init__(self, rows: list[int], holders: Holders) -> None:
        rules: dict[int, list[int]] = {}
        grants: list[int] = []
        for row in rows:
            if row < holders.first_grant:
                rules.setdefault(holders.action_of[row], []).append(row)
            else:
                grants.append(row)
        self._deny = frozenset(action for action in rules if action & DENY)
        self._allow = frozenset(rules) - self._deny
        self._scopes = {action: _scopes(rows, holders) for action, rows in rules.items()}
        self._grants = _file(grants, holders.where)

    def find(self, actions: frozenset[int], namespace: str, name: str) -> Iterator[int]:
        """Yield rows: every one that applies, and few that do not.

        Denies come first and allows last: a search that has found an allow
        need not see more of them, nor see them twice.
        """
        yield from self._rules(self._deny & actions, namespace, name)
        grants = self._grants
        yield from grants if isinstance(grants, tuple) else grants.find(namespace)
        yield from self._rules(self._allow & actions, namespace, name)

    def _rules(self, actions: frozenset[int], namespace: str, name: str) -> Iterator[int]:
        for action in actions:
            scopes = self._scopes[action]
            if isinstance(scopes, tuple):
                yield from scopes
                continue
            for names in scopes.find(namespace):
                yield from names if isinstance(names, tuple) else names.find(name)


class Holders:
    """All subjects and roles. A row below ``first_grant`` is a rule's, one from there a grant's."""

    def __init__(self, rows: Rows, action_of: Sequence[int]) -> None:
        self.first_grant = len(rows.rules)
        self.where: list[Pattern] = [*rows.rules.where, *rows.grants.where]
        self.which = rows.rules.which
        self.action_of = action_of
        self.roles = _roles(rows.grants)
        self.entries: dict[str, int | tuple[int, ...] | Many] = {}
        many: dict[str, list[int]] = {}
        self._collect(rows.rules.who, 0, many)
        self._collect(rows.grants.who, self.first_grant, many)
        self._file(many)

    def _collect(self, who: Sequence[str], first: int, many: dict[str, list[int]]) -> None:
        entries = self.entries
        for start in range(0, len(who), STEP):
            for row, cell in enumerate(who[start : start + STEP], first + start):
                plain = cells.PLAIN_SUBJECT.fullmatch(cell) is not None
                for subject in (cell,) if plain else dict.fromkeys(cells.parse_who(cell)):
                    if entries.setdefault(subject, row) != row:
                        many.setdefault(subject, []).append(row)
            breathe()

    def _file(self, many: dict[str, list[int]]) -> None:
        done = 0
        for subject, others in many.items():
            first = self.entries[subject]
            rows = [first, *others] if isinstance(first, int) else others
            self.entries[subject] = _compact(rows) if len(rows) <= FEW else Many(rows, self)
            done += len(rows)
            if done > STEP:
                done = 0
                breathe()


def _roles(grants: Grants) -> list[tuple[str, ...] | Timed]:
    """Return what each grant gives."""
    known: dict[str, tuple[str, ...]] = {}
    found: list[tuple[str, ...] | Timed] = []
    for start in range(0, len(grants), STEP):
        for row, cell in enumerate(grants.role[start : start + STEP], start):
            roles = known.get(cell)
            if roles is None:
                roles = known[cell] = cells.parse_role(cell)
            found.append(Timed(roles, grants.period[row]) if row in grants.period else roles)
        breathe()
    return found


def _scopes(rows: list[int], holders: Holders) -> _Scopes:
    if len(rows) <= FEW:
        return _compact(rows)
    places: dict[Pattern, list[int]] = {}
    for row in rows:
        places.setdefault(holders.where[row], []).append(row)
    return PatternTable((place, _file(rows, holders.which)) for place, rows in places.items())


def _file(rows: list[int], patterns: Sequence[Pattern]) -> _Names:
    if len(rows) <= FEW:
        return _compact(rows)
    return PatternTable((patterns[row], row) for row in rows)


def _compact(rows: list[int]) -> tuple[int, ...]:
    """Return the numbers as new objects, which lie side by side in memory."""
    return tuple(array("I", rows))
