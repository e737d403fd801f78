"""From rows to the tables of the index: who has which rules and grants.

Nine subjects of ten have a row or two: those are kept as bare row numbers, so
that a million subjects fit into memory. Only a holder of many gets a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias, TypeVar

from authsvc.policy import cells
from authsvc.policy.manners import STEP, breathe
from authsvc.policy.patterns import PatternTable
from authsvc.policy.rows import Grants, Rules

FEW: Final = 8
"""Rows up to which looking at each is cheaper than a table."""

T = TypeVar("T")

_Names: TypeAlias = tuple[int, ...] | PatternTable[int]
_Scopes: TypeAlias = tuple[int, ...] | PatternTable[_Names]


class RuleTable:
    """The rules of a holder of many: by action, then where, then which."""

    __slots__ = ("_scopes", "actions")

    def __init__(self, rows: list[int], rules: Rules, of_row: Sequence[int]) -> None:
        by_action: dict[int, list[int]] = {}
        for row in rows:
            by_action.setdefault(of_row[row], []).append(row)
        self._scopes = {action: _scopes(rows, rules) for action, rows in by_action.items()}
        self.actions = frozenset(by_action)

    def find(self, actions: Iterable[int], namespace: str, name: str) -> Iterator[int]:
        """Yield rows that may apply: none that does is missing, and each is still to be checked."""
        for action in actions:
            scopes = self._scopes[action]
            if isinstance(scopes, tuple):
                yield from scopes
                continue
            for names in scopes.find(namespace):
                yield from names if isinstance(names, tuple) else names.find(name)


RulesOf: TypeAlias = int | tuple[int, ...] | RuleTable
GrantsOf: TypeAlias = int | tuple[int, ...] | PatternTable[int]


def compile_rules(rules: Rules, of_row: Sequence[int]) -> dict[str, RulesOf]:
    """Return the rules of each subject and role; ``of_row`` gives each rule's action."""
    return _collect(rules.who, lambda rows: RuleTable(rows, rules, of_row))


def compile_grants(grants: Grants) -> tuple[dict[str, GrantsOf], list[tuple[str, ...]]]:
    """Return the grants of each subject and role, and the roles that each grant gives."""
    where = grants.where
    of = _collect(grants.who, lambda rows: PatternTable((where[row], row) for row in rows))
    known: dict[str, tuple[str, ...]] = {}
    roles = []
    for start in range(0, len(grants), STEP):
        for cell in grants.role[start : start + STEP]:
            given = known.get(cell)
            if given is None:
                given = known[cell] = cells.parse_role(cell)
            roles.append(given)
        breathe()
    return of, roles


def _collect(
    who: Sequence[str], table: Callable[[list[int]], T]
) -> dict[str, int | tuple[int, ...] | T]:
    many: dict[str, list[int]] = {}
    found: dict[str, int | tuple[int, ...] | T] = {}
    for start in range(0, len(who), STEP):
        for row, cell in enumerate(who[start : start + STEP], start):
            plain = cells.PLAIN_SUBJECT.fullmatch(cell) is not None
            for subject in (cell,) if plain else cells.parse_who(cell):
                if subject not in found:
                    found[subject] = row
                else:
                    many.setdefault(subject, []).append(row)
        breathe()
    for number, (subject, rows) in enumerate(many.items()):
        # The first row of each is a bare number so far.
        first = found[subject]
        all_rows = [first, *rows] if isinstance(first, int) else rows
        found[subject] = tuple(all_rows) if len(all_rows) <= FEW else table(all_rows)
        if number % STEP == 0 or len(rows) > STEP:
            breathe()
    return found


def _scopes(rows: list[int], rules: Rules) -> _Scopes:
    if len(rows) <= FEW:
        return tuple(rows)
    places: dict[object, list[int]] = {}
    for row in rows:
        places.setdefault(rules.where[row], []).append(row)
    return PatternTable((rules.where[rows[0]], _names(rows, rules)) for rows in places.values())


def _names(rows: list[int], rules: Rules) -> _Names:
    if len(rows) <= FEW:
        return tuple(rows)
    return PatternTable((rules.which[row], row) for row in rows)
