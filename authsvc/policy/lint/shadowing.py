"""Rows without an effect: another one of the same holder says it already, or denies it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeAlias

from authsvc.policy import cells, spaces
from authsvc.policy.atoms import Atom, Cover, row_atoms, wider
from authsvc.policy.cells import Resource
from authsvc.policy.holdings import ALWAYS
from authsvc.policy.lint.finding import Finding, Inspected, Kind, warning
from authsvc.policy.rows import Rows
from authsvc.policy.spaces import Space

_LOOKED_AT: Final = 30
"""Rows that one is compared with: of ten thousand globs, not each with each."""

_Key: TypeAlias = tuple[object, ...]


def redundant_rules(inspected: Inspected) -> Iterator[Finding]:
    """Find rules that another rule of each of their holders makes pointless."""
    rules = inspected.rows.rules
    # Of a rule for several holders, one row has to make it pointless for all.
    makers: dict[int, set[tuple[Kind, int]] | None] = {}
    for rows in inspected.holdings.rules.values():
        if len(rows) == 1:
            makers[rows[0]] = None
            continue
        for row, found in _Rules(inspected.rows, rows).pointless():
            known = makers.get(row, found)
            makers[row] = None if known is None else known & found
    for row in sorted(makers):
        # Of two that say the same of the same holders, the first is the one to keep.
        pointless = [
            (kind, other)
            for kind, other in makers[row] or ()
            if other < row or (Kind.DUPLICATE, row) not in (makers[other] or ())
        ]
        if not pointless:
            continue
        kind, other = min(pointless, key=lambda maker: (_ORDER.index(maker[0]), maker[1]))
        yield warning(rules[row], kind, _SAID[kind].format(rules[other].place), _HELP[kind])


_ORDER: Final = (Kind.UNREACHABLE, Kind.DUPLICATE, Kind.SHADOWED)
_SAID: Final = {
    Kind.UNREACHABLE: "never allows anything: {} denies all of it",
    Kind.DUPLICATE: "says the same as {}",
    Kind.SHADOWED: "adds nothing to {}, which says all of it",
}
_HELP: Final = {
    Kind.UNREACHABLE: "delete the row, or let the deny reach less",
    Kind.DUPLICATE: "delete one of them",
    Kind.SHADOWED: "delete the row",
}


class _Rules:
    """The rules of one holder, filed by what they are about."""

    def __init__(self, policy: Rows, rows: Iterable[int]) -> None:
        self._atoms = {row: list(row_atoms(policy.rules, row)) for row in rows}
        self._covers = {row: Cover(atoms) for row, atoms in self._atoms.items()}
        self._scopes = {row: set(map(_scope, atoms)) for row, atoms in self._atoms.items()}
        self._filed: dict[_Key, dict[int, None]] = {}
        for row, atoms in self._atoms.items():
            for atom in atoms:
                self._filed.setdefault(_key(atom), {})[row] = None

    def pointless(self) -> Iterator[tuple[int, set[tuple[Kind, int]]]]:
        """Yield each rule with the rules that make it pointless, and how."""
        for row, atoms in self._atoms.items():
            found = set()
            for other in self._candidates(row, atoms[0], deny=atoms[0].deny):
                if self._says(other, row):
                    same = self._says(row, other)
                    found.add((Kind.DUPLICATE if same else Kind.SHADOWED, other))
            if not atoms[0].deny:
                for other in self._candidates(row, atoms[0], deny=True):
                    if all(self._covers[other].covers(atom, by_deny=True) for atom in atoms):
                        found.add((Kind.UNREACHABLE, other))
            yield row, found

    def _says(self, one: int, other: int) -> bool:
        return all(self._covers[one].covers(atom) for atom in self._atoms[other])

    def _candidates(self, row: int, atom: Atom, *, deny: bool) -> Iterator[int]:
        """Yield rules that could cover an atom of a row: those that hold an example of it."""
        example = [spaces.example(space) for space in _scope(atom)]
        for other in islice(self._filed_under(row, atom, deny=deny), _LOOKED_AT):
            if any(all(map(_may_contain, scope, example)) for scope in self._scopes[other]):
                yield other

    def _filed_under(self, row: int, atom: Atom, *, deny: bool) -> Iterator[int]:
        """Yield the other rules that are filed under an atom or wider."""
        seen = {row}
        for key in _wider_keys(atom._replace(deny=deny)):
            for other in self._filed.get(key, ()):
                if other not in seen:
                    seen.add(other)
                    yield other


def _scope(atom: Atom) -> tuple[Space, ...]:
    """Return what an atom's names are in."""
    return (atom.where, atom.which) if isinstance(atom.target, Resource) else (atom.target,)


def _may_contain(space: Space, name: str | None) -> bool:
    return name is None or spaces.contains(space, name)


def _key(atom: Atom) -> _Key:
    target = atom.target if isinstance(atom.target, Resource) else None
    return (
        *(atom.deny, atom.verb, target),
        *(spaces.literal(atom.where), spaces.literal(atom.which)),
    )


def _wider_keys(atom: Atom) -> Iterator[_Key]:
    targets = wider(atom.target) if isinstance(atom.target, Resource) else {None}
    for verb in {atom.verb, None}:
        for target in targets:
            for where in {spaces.literal(atom.where), None}:
                for which in {spaces.literal(atom.which), None}:
                    yield atom.deny, verb, target, where, which


def redundant_grants(inspected: Inspected) -> Iterator[Finding]:
    """Find grants of a role that the same holder has there anyway, by another row."""
    grants = inspected.rows.grants
    found: dict[int, set[int] | None] = {}
    for rows in inspected.holdings.grants.values():
        by_role: dict[str, list[int]] = {}
        for row in rows:
            for role in cells.parse_role(grants.role[row]):
                by_role.setdefault(role, []).append(row)
        for same in by_role.values():
            for row in same:
                others = {
                    other
                    for other in islice(same, _LOOKED_AT)
                    if other != row and _gives(inspected.rows, other, row)
                }
                known = found.get(row, others)
                found[row] = None if known is None else known & others
    for row in sorted(row for row, others in found.items() if others):
        other = min(found[row] or ())
        yield warning(
            grants[row],
            Kind.REDUNDANT_GRANT,
            f"gives nothing that {grants[other].place} does not give",
            "delete the row",
        )


def _gives(policy: Rows, one: int, other: int) -> bool:
    """Whether one grant holds wherever and whenever another does; of two equal, the first."""
    if not _holds(policy, one, other):
        return False
    return one < other or not _holds(policy, other, one)


def _holds(policy: Rows, one: int, other: int) -> bool:
    grants = policy.grants
    span, within = (ALWAYS.meet(grants.period.get(row)) for row in (one, other))
    if span is None or within is None or not within.within(span):
        return False
    places: list[Space] = spaces.spaces_of(grants.where[one])
    return all(spaces.within(place, places) for place in spaces.spaces_of(grants.where[other]))
