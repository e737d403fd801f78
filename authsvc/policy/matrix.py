"""Roles and resources as a matrix: which verbs each role has on each resource."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Final, NamedTuple

from authsvc.policy import spaces
from authsvc.policy.atoms import Atom, Source, atoms_of
from authsvc.policy.cells import Resource, show_subject
from authsvc.policy.holdings import Holdings
from authsvc.policy.resources import HTTP_VERBS, VERBS, Catalogue, Known, covers, known
from authsvc.policy.rows import Rows
from authsvc.policy.wording import show_target

PATHS: Final = "paths"
"""The group of what is no resource."""


class Hold(Enum):
    """How a role has a verb."""

    NONE = "none"
    SOME = "in some places, for some names, or under a condition"
    ALL = "everywhere"
    PART_DENIED = "denied in some places, for some names, or under a condition"
    DENIED = "denied"


class Mark(NamedTuple):
    """One verb of one cell; ``place`` is a row that says so, or empty."""

    verb: str
    hold: Hold
    place: str = ""


class Item(NamedTuple):
    """A line of the matrix: a resource with its group, or a path, and its cells by column."""

    group: str
    name: str
    cells: tuple[tuple[Mark, ...], ...]


class Matrix(NamedTuple):
    """The columns are roles or subjects, as they are written."""

    columns: tuple[str, ...]
    items: tuple[Item, ...]


def matrix(
    rows: Rows,
    columns: Sequence[str],
    catalogue: Catalogue,
    now: float,
    *,
    everything: bool = False,
) -> Matrix:
    """Return what roles and subjects (in canonical form) may at ``now``.

    The resources are those that the policy names, or with ``everything`` all
    of the catalogue: a role that may all of everything names none.
    """
    holdings = Holdings(rows)
    atoms = [_held(holdings, column, now) for column in columns]
    items = [
        Item(one.group, _name(one), tuple(_cell(one, each, rows) for each in atoms))
        for one in _resources(atoms, catalogue, everything=everything)
    ]
    items += [
        Item(PATHS, spaces.show(path), tuple(_path_cell(path, each, rows) for each in atoms))
        for path in _paths(atoms)
    ]
    return Matrix(tuple(columns), tuple(items))


def _held(holdings: Holdings, column: str, now: float) -> dict[Atom, Source]:
    atoms = atoms_of(holdings, column, now)
    return {atom: source for atom, source in atoms.items() if atom.span.has_begun(now)}


def _name(one: Known) -> str:
    return f"{one.resource}/{one.subresource}" if one.subresource else one.resource


def _resources(
    atoms: Iterable[Iterable[Atom]], catalogue: Catalogue, *, everything: bool
) -> list[Known]:
    listed = [one for one in catalogue.known.values() if "*" not in {one.resource, one.subresource}]
    targets = dict.fromkeys(
        atom.target for each in atoms for atom in each if isinstance(atom.target, Resource)
    )
    named = [target for target in targets if isinstance(target.resource, str)]
    found = {
        one.name: one
        for one in listed
        if everything or not named or any(covers(target, one) for target in named)
    }
    for target in named:
        group, subresource = target.group, target.subresource
        if isinstance(group, str) and isinstance(subresource, str):
            name = show_target(target)
            found.setdefault(name, known(name, True, VERBS))
    return sorted(found.values(), key=lambda one: (one.group, one.resource, one.subresource))


def _paths(atoms: Iterable[Iterable[Atom]]) -> list[spaces.Space]:
    paths = {
        atom.target for each in atoms for atom in each if not isinstance(atom.target, Resource)
    }
    return sorted(paths, key=spaces.show)


def _cell(one: Known, atoms: dict[Atom, Source], rows: Rows) -> tuple[Mark, ...]:
    own = [atom for atom in atoms if isinstance(atom.target, Resource) and covers(atom.target, one)]
    verbs: list[str] = [verb for verb in VERBS if verb in one.verbs]
    verbs += sorted(one.verbs - set(VERBS))
    return tuple(_mark(verb, own, atoms, rows) for verb in verbs)


def _path_cell(path: spaces.Space, atoms: dict[Atom, Source], rows: Rows) -> tuple[Mark, ...]:
    own = [
        atom
        for atom in atoms
        if not isinstance(atom.target, Resource) and spaces.within(path, (atom.target,))
    ]
    verbs = {atom.verb for atom in own if atom.verb} & HTTP_VERBS | {"get"}
    return tuple(_mark(verb, own, atoms, rows) for verb in sorted(verbs))


def _mark(verb: str, atoms: Iterable[Atom], sources: dict[Atom, Source], rows: Rows) -> Mark:
    """Return how a verb is held: what is denied everywhere first, then what is allowed."""
    found: dict[tuple[bool, bool], str] = {}
    for atom in atoms:
        if atom.verb in {verb, None}:
            everywhere = not (atom.where or atom.which or atom.when)
            found.setdefault((atom.deny, everywhere), rows.rules[sources[atom].rule].place)
    if place := found.get((True, True)):
        return Mark(verb, Hold.DENIED, place)
    denied = found.get((True, False), "")
    if place := found.get((False, True)):
        return Mark(verb, Hold.SOME if denied else Hold.ALL, denied or place)
    if place := found.get((False, False)):
        return Mark(verb, Hold.SOME, place)
    return Mark(verb, Hold.PART_DENIED if denied else Hold.NONE, denied)


def show_column(column: str) -> str:
    """Return a column's heading: a role without its prefix."""
    return show_subject(column).removeprefix("role:")
