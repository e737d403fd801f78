"""What a change of a policy changes: not lines, but who gains and who loses what.

Each subject's atoms under both policies are compared. Exact where cells are
literal; with globs, one that reaches further than before is a gain of the whole
new glob, with what was had already beside it. So nothing that changes any
decision is left out, and a gain may be less than it says where other rows
together had held a part of it.

A subject stands for itself alone. What a user is denied through one group and
allowed through another is shown as the deny and the allow that they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from authsvc.policy.atoms import Atom, Cover, Source, atoms_of, inside
from authsvc.policy.cells import EVERY_USER
from authsvc.policy.holdings import Holdings
from authsvc.policy.rows import Rows


class Change(NamedTuple):
    """One atom that a subject gained or lost.

    ``places`` are the rule's and the grants' that lead to it, of the first of
    the subjects, and ``role`` is the one that they hold, or empty. ``overlap``
    is what they had of it before (where gained), or keep of it.
    """

    gained: bool
    atom: Atom
    role: str
    places: tuple[str, ...]
    overlap: tuple[Atom, ...]


class Changes(NamedTuple):
    """What changed for some subjects, for each of them the same."""

    subjects: tuple[str, ...]
    changes: tuple[Change, ...]


def compare(old: Rows, new: Rows, now: float) -> list[Changes]:
    """Return what changes, from ``now`` on, subjects with equal changes together."""
    before, after = Holdings(old), Holdings(new)
    touched = _touched(before, after)
    found: dict[frozenset[Change], tuple[list[str], tuple[Change, ...]]] = {}
    for subject in dict.fromkeys((*before.subjects, *after.subjects)):
        reached = before.reach(subject) | after.reach(subject)
        if reached.isdisjoint(touched):
            continue
        if changes := _changes(before, after, subject, now):
            key = frozenset(change._replace(places=()) for change in changes)
            found.setdefault(key, ([], changes))[0].append(subject)
    return [Changes(tuple(subjects), changes) for subjects, changes in found.values()]


def _touched(before: Holdings, after: Holdings) -> set[str]:
    """Return the holders whose own rows differ."""
    return {
        holder
        for holder in {*before.holders, *after.holders}
        if _own(before, holder) != _own(after, holder)
    }


def _own(holdings: Holdings, holder: str) -> frozenset[tuple[str, ...]]:
    """Return the rows of a holder without their places and without who else they are for."""
    rules = (holdings.rows.rules[row][3:] for row in holdings.rules.get(holder, ()))
    grants = (holdings.rows.grants[row][3:] for row in holdings.grants.get(holder, ()))
    return frozenset((*rules, *grants))


def _changes(before: Holdings, after: Holdings, subject: str, now: float) -> tuple[Change, ...]:
    old, new = atoms_of(before, subject, now), atoms_of(after, subject, now)
    # Every user has what `user:*` has. A group may be that of somebody without a name.
    shared = subject.startswith("user:")
    had = Cover((*old, *(atoms_of(before, EVERY_USER, now) if shared else ())))
    has = Cover((*new, *(atoms_of(after, EVERY_USER, now) if shared else ())))
    gained = _missing(new, had, has)
    lost = _missing(old, has, had)
    return (
        *(_change(before, atom, old[atom], new, gained=False) for atom in lost),
        *(_change(after, atom, new[atom], old, gained=True) for atom in gained),
    )


def _missing(atoms: Mapping[Atom, Source], there: Cover, here: Cover) -> list[Atom]:
    """Return the atoms that the other policy does not have.

    An allow that a deny of the same policy takes away is none: where that deny
    is not in the other policy, that is a change by itself.
    """
    return [
        atom
        for atom in atoms
        if not there.covers(atom) and (atom.deny or not here.covers(atom, by_deny=True))
    ]


def _change(
    holdings: Holdings, atom: Atom, source: Source, others: Iterable[Atom], *, gained: bool
) -> Change:
    rows = holdings.rows
    role = rows.grants.role[source.grants[0]] if source.grants else ""
    grants = (rows.grants[grant].place for grant in source.grants)
    places = (rows.rules[source.rule].place, *grants)
    return Change(gained, atom, role, places, tuple(inside(atom, others)))
