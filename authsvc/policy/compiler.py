"""From rows to the tables of the index: which rows a subject or role leads to.

Nine subjects of ten have a row or two. Those lead to a ``Link``, or a tuple of
some: of a rule the row's number, of a grant all that a decision needs. With a
million of them time goes where memory is touched, and of rules most are passed
over by their action alone, which lies in a small array. Only a holder of many
rows gets a table, ``Many``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple, TypeAlias, TypeVar

from authsvc.policy import cells
from authsvc.policy.actions import DENY
from authsvc.policy.background_load import STEP, yield_gil
from authsvc.policy.globs import Pattern
from authsvc.policy.patterns import PatternTable
from authsvc.policy.rows import Period, Rows, Rules

FEW: Final = 8
"""Rows up to which looking at each is cheaper than a table."""

MANY_ACTIONS: Final = 64
"""Actions of one holder that match a request, from which looking by place is cheaper."""

GROUP: Final = "group:"
"""What the subject of a group begins with."""


class GrantLink:
    """A grant, as its subject or role leads to it."""

    __slots__ = ("roles", "row", "where")

    def __init__(self, row: int, where: Pattern, roles: tuple[str, ...] | Timed) -> None:
        self.row = row
        self.where = where
        self.roles = roles


class Timed:
    """Roles that are held for a time."""

    __slots__ = ("_period", "_roles")

    def __init__(self, roles: tuple[str, ...], period: Period) -> None:
        self._roles = roles
        self._period = period

    def at(self, now: float) -> tuple[str, ...]:
        """Return the roles where they are held at that time."""
        return self._roles if self._period.covers(now) else ()


Link: TypeAlias = int | GrantLink
L = TypeVar("L")

_Names: TypeAlias = tuple[int, ...] | PatternTable[int]
_Scopes: TypeAlias = tuple[int, ...] | PatternTable[_Names]


class Many:
    """The rows of a holder of many: rules by action, where and which; grants by where."""

    __slots__ = ("_actions", "_allows", "_denies", "_grants")

    def __init__(self, links: Sequence[Link], rules: Rules, actions: Sequence[int]) -> None:
        grants = [link for link in links if isinstance(link, GrantLink)]
        rows = [link for link in links if isinstance(link, int)]
        denies = [row for row in rows if actions[row] & DENY]
        allows = [row for row in rows if not actions[row] & DENY]
        self._denies = _RuleTable(denies, rules, actions)
        self._allows = _RuleTable(allows, rules, actions)
        self._actions = frozenset(map(actions.__getitem__, rows))
        self._grants = _file(grants, lambda link: link.where)

    def find(self, actions: frozenset[int], namespace: str, name: str) -> Iterable[Link]:
        """Return links: every one that applies, and few that do not; denies first."""
        grants = self._grants
        there = grants if isinstance(grants, tuple) else grants.find(namespace)
        if self._actions.isdisjoint(actions):
            return there
        return chain(
            self._denies.find(actions, namespace, name),
            there,
            self._allows.find(actions, namespace, name),
        )


class _RuleTable:
    """Rules of a holder of many that all allow, or all deny: by action, then where, then which.

    Where very many actions match a request, looking by where and which alone
    is quicker; both ways yield every rule that applies and few that do not.
    """

    __slots__ = ("_actions", "_by_action", "_by_scope")

    def __init__(self, rows: list[int], rules: Rules, actions: Sequence[int]) -> None:
        by_action: dict[int, list[int]] = {}
        for row in rows:
            by_action.setdefault(actions[row], []).append(row)
        self._actions = frozenset(by_action)
        self._by_action = {action: _scopes(rows, rules) for action, rows in by_action.items()}
        self._by_scope = _scopes(rows, rules) if len(by_action) > MANY_ACTIONS else ()

    def find(self, actions: frozenset[int], namespace: str, name: str) -> Iterable[int]:
        if self._actions.isdisjoint(actions):
            return ()
        matching = self._actions & actions
        if len(matching) > MANY_ACTIONS:
            return _find(self._by_scope, namespace, name)
        return chain.from_iterable(
            _find(self._by_action[action], namespace, name) for action in matching
        )


Entry: TypeAlias = int | GrantLink | tuple[Link, ...] | Many
"""What a subject or role leads to."""

Held: TypeAlias = tuple[str, Entry]
"""A subject or role that a request is made as, and what it leads to."""


class Entries(NamedTuple):
    """What subjects and roles lead to: ``groups`` by their bare names, all ``others`` as they are.

    So the groups of a request, of which a person has many and the policy few, are
    looked up all at once.
    """

    groups: dict[str, Entry]
    others: dict[str, Entry]


def compile_entries(rows: Rows, actions: Sequence[int]) -> Entries:
    """Return what each subject and role leads to; ``actions`` has that of each rule."""
    entries = Entries({}, {})
    more: dict[str, list[Link]] = {}
    for number, (who, link) in enumerate(_links(rows)):
        plain = cells.PLAIN_SUBJECT.fullmatch(who) is not None
        for subject in (who,) if plain else dict.fromkeys(cells.parse_who(who)):
            table, name = _place(entries, subject)
            if table.setdefault(name, link) is not link:
                more.setdefault(subject, []).append(link)
        if number % STEP == 0:
            yield_gil()
    filed = 0
    for subject, others in more.items():
        table, name = _place(entries, subject)
        first = table[name]
        if isinstance(first, int | GrantLink):
            links = (first, *others)
            few = len(links) <= FEW
            table[name] = links if few else Many(links, rows.rules, actions)
        filed += len(others)
        if filed > STEP:
            filed = 0
            yield_gil()
    return entries


def _place(entries: Entries, subject: str) -> tuple[dict[str, Entry], str]:
    """Return where a subject's entry is: the table, and the name in it."""
    if subject.startswith(GROUP):
        return entries.groups, subject.removeprefix(GROUP)
    return entries.others, subject


def _links(rows: Rows) -> Iterator[tuple[str, Link]]:
    for row, who in enumerate(rows.rules.who):
        # One object for a role's name wherever it is: then it is known by its address.
        yield (sys.intern(who) if who.startswith("role:") else who), row
    grants = rows.grants
    known: dict[str, tuple[str, ...]] = {}
    columns = zip(grants.who, grants.role, grants.where, strict=True)
    for row, (who, cell, where) in enumerate(columns):
        roles = known.get(cell)
        if roles is None:
            roles = known[cell] = tuple(sys.intern(role) for role in cells.parse_role(cell))
        period = grants.period.get(row)
        yield who, GrantLink(row, where, Timed(roles, period) if period else roles)


def _scopes(rows: list[int], rules: Rules) -> _Scopes:
    if len(rows) <= FEW:
        return tuple(rows)
    places: dict[Pattern, list[int]] = {}
    for row in rows:
        places.setdefault(rules.where[row], []).append(row)
    return PatternTable(
        (place, _file(rows, rules.which.__getitem__)) for place, rows in places.items()
    )


def _file(links: list[L], pattern: Callable[[L], Pattern]) -> tuple[L, ...] | PatternTable[L]:
    if len(links) <= FEW:
        return tuple(links)
    return PatternTable((pattern(link), link) for link in links)


def _find(scopes: _Scopes, namespace: str, name: str) -> Iterable[int]:
    if isinstance(scopes, tuple):
        return scopes
    return chain.from_iterable(
        names if isinstance(names, tuple) else names.find(name) for names in scopes.find(namespace)
    )
