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

_MANY_ACTIONS: Final = 64

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


class _RuleTable:
    """Rules of a holder of many that all allow, or all deny: by action, then where, then which.

    Where very many actions match a request, looking by where and which alone
    is quicker; both ways yield every row that applies and few that do not.
    """

    __slots__ = ("_actions", "_by_action", "_by_scope")

    def __init__(self, rows: list[int], holders: Holders) -> None:
        by_action: dict[int, list[int]] = {}
        for row in rows:
            by_action.setdefault(holders.action_of[row], []).append(row)
        self._actions = frozenset(by_action)
        self._by_action = {action: _scopes(rows, holders) for action, rows in by_action.items()}
        self._by_scope = _scopes(rows, holders) if len(by_action) > _MANY_ACTIONS else ()

    def find(self, actions: frozenset[int], namespace: str, name: str) -> Iterator[int]:
        if self._actions.isdisjoint(actions):
            return
        matching = self._actions & actions
        if len(matching) > _MANY_ACTIONS:
            yield from _find(self._by_scope, namespace, name)
        else:
            for action in matching:
                yield from _find(self._by_action[action], namespace, name)


class Many:
    """The rows of a holder of many: rules by action, where and which; grants by where."""

    __slots__ = ("_allows", "_denies", "_grants")

    def __init__(self, rows: list[int], holders: Holders) -> None:
        first_grant, action_of = holders.first_grant, holders.action_of
        rules = [row for row in rows if row < first_grant]
        self._denies = _RuleTable([row for row in rules if action_of[row] & DENY], holders)
        self._allows = _RuleTable([row for row in rules if not action_of[row] & DENY], holders)
        self._grants = _file([row for row in rows if row >= first_grant], holders.where)

    def find(self, actions: frozenset[int], namespace: str, name: str) -> Iterator[int]:
        """Yield rows: every one that applies, and few that do not; denies first."""
        yield from self._denies.find(actions, namespace, name)
        grants = self._grants
        yield from grants if isinstance(grants, tuple) else grants.find(namespace)
        yield from self._allows.find(actions, namespace, name)


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


def _find(scopes: _Scopes, namespace: str, name: str) -> Iterator[int]:
    if isinstance(scopes, tuple):
        yield from scopes
        return
    for names in scopes.find(namespace):
        yield from names if isinstance(names, tuple) else names.find(name)


def _file(rows: list[int], patterns: Sequence[Pattern]) -> _Names:
    if len(rows) <= FEW:
        return _compact(rows)
    return PatternTable((patterns[row], row) for row in rows)


def _compact(rows: list[int]) -> tuple[int, ...]:
    """Return the numbers as new objects, which lie side by side in memory."""
    return tuple(array("I", rows))
