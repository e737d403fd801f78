"""A policy taken apart: what a subject may, in the smallest pieces, wherever it is written.

An atom is one verb on one resource (or path), in one place, for one name. Two
policies are compared by their atoms, and the lint finds rows that add none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from authsvc.policy import spaces
from authsvc.policy.cells import ANY, SOME, Paths, Resource
from authsvc.policy.conditions import Condition
from authsvc.policy.holdings import ALWAYS, Holdings, Span, Way
from authsvc.policy.rows import Rules
from authsvc.policy.spaces import EVERYWHERE, Space

When: TypeAlias = frozenset[frozenset[Condition]]
"""Conditions without their order; empty where there are none."""


class Atom(NamedTuple):
    """``verb`` None is every verb; a path's ``where`` and ``which`` are EVERYWHERE."""

    deny: bool
    verb: str | None
    target: Resource | Space
    where: Space
    which: Space
    when: When
    span: Span


class Source(NamedTuple):
    """Where an atom is from: a rule, and the grants that lead to it."""

    rule: int
    grants: tuple[int, ...]


def atoms_of(holdings: Holdings, subject: str, now: float | None = None) -> dict[Atom, Source]:
    """Return what a subject or role may, by itself and by its roles, each with a source."""
    found: dict[Atom, Source] = {}
    for way in holdings.ways(subject, now):
        for row in holdings.rules.get(way.holder, ()):
            for atom in row_atoms(holdings.rows.rules, row, way):
                found.setdefault(atom, Source(row, way.grants))
    return found


def row_atoms(rules: Rules, row: int, way: Way | None = None) -> Iterator[Atom]:
    """Yield what one rule says, as far as it holds on a way to it."""
    action = rules.actions[rules.action[row]]
    deny = bool(rules.deny[row])
    when = _when(rules, row)
    span = way.span if way else ALWAYS
    outer = way.where if way else EVERYWHERE
    verbs: Iterable[str | None] = (None,) if action.verbs is None else sorted(action.verbs)
    if isinstance(action.target, Paths):
        if spaces.contains(outer, ""):
            for path in spaces.spaces_of(action.target.pattern):
                for verb in verbs:
                    yield Atom(deny, verb, path, EVERYWHERE, EVERYWHERE, when, span)
        return
    places = [
        where
        for option in spaces.spaces_of(rules.where[row])
        if (where := spaces.meet(outer, option)) is not None
    ]
    names = spaces.spaces_of(rules.which[row])
    for where in places:
        for which in names:
            for target in dict.fromkeys(action.target):
                for verb in verbs:
                    yield Atom(deny, verb, target, where, which, when, span)


def _when(rules: Rules, row: int) -> When:
    if row not in rules.when:
        return frozenset()
    return frozenset(frozenset(conditions) for conditions in rules.when[row][1])


class Cover:
    """Atoms, asked whether they say all that another one says."""

    def __init__(self, atoms: Iterable[Atom]) -> None:
        self._resources: dict[tuple[bool, str | None, Resource], list[Atom]] = {}
        self._paths: dict[tuple[bool, str | None], list[Atom]] = {}
        self._atoms = frozenset(atoms)
        for atom in self._atoms:
            if isinstance(atom.target, Resource):
                key = (atom.deny, atom.verb, atom.target)
                self._resources.setdefault(key, []).append(atom)
            else:
                self._paths.setdefault((atom.deny, atom.verb), []).append(atom)

    def covers(self, atom: Atom, *, by_deny: bool | None = None) -> bool:
        """Whether the atoms of the same effect, or those that deny, say all that this one says."""
        deny = atom.deny if by_deny is None else by_deny
        if deny is atom.deny and atom in self._atoms:
            return True
        candidates = [
            other
            for other in self._about(atom, deny)
            if other.when in {atom.when, frozenset()} and atom.span.within(other.span)
        ]
        if not isinstance(atom.target, Resource):
            return spaces.within(
                atom.target,
                [other.target for other in candidates if not isinstance(other.target, Resource)],
            )
        return _cover(atom, candidates)

    def _about(self, atom: Atom, deny: bool) -> Iterator[Atom]:
        for verb in {atom.verb, None}:
            if isinstance(atom.target, Resource):
                for target in wider(atom.target):
                    yield from self._resources.get((deny, verb, target), ())
            else:
                yield from self._paths.get((deny, verb), ())


def inside(atom: Atom, atoms: Iterable[Atom]) -> list[Atom]:
    """Return those of the atoms, of the same effect, that say a part of one, or all of it."""
    one = Cover((atom,))
    return [other for other in atoms if other.deny == atom.deny and one.covers(other)]


def _cover(atom: Atom, others: Collection[Atom]) -> bool:
    """Whether atoms on the same resource cover one: in one of its two dimensions together."""
    if any(other.where <= atom.where and other.which <= atom.which for other in others):
        return True
    by_name = [other.where for other in others if spaces.within(atom.which, (other.which,))]
    if by_name and spaces.within(atom.where, by_name):
        return True
    by_place = [other.which for other in others if spaces.within(atom.where, (other.where,))]
    return bool(by_place) and spaces.within(atom.which, by_place)


def wider(resource: Resource) -> set[Resource]:
    """Return the resources of cells that hold all of one."""
    subs = {resource.subresource, ANY}
    if resource.subresource not in {ANY, ""}:
        subs.add(SOME)
    return {
        Resource(name, group, sub)
        for name in (resource.resource, ANY)
        for group in (resource.group, ANY)
        for sub in subs
    }
