"""Policy rows into RBAC objects, where they fit.

A role becomes a ClusterRole with its own rows and those of the roles that it
inherits, since RBAC knows no inheritance; what it may in one namespace alone
becomes a Role there. A rule for a subject becomes a role of its own. RBAC has
no deny, no times, no conditions, and of globs only ``*``: such rows are what
does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count
from typing import Final, NamedTuple

from authsvc.policy import globs, spaces
from authsvc.policy.atoms import Atom, row_atoms
from authsvc.policy.cells import EVERY_USER
from authsvc.policy.holdings import ALWAYS, Holdings, Way
from authsvc.policy.rbac import words
from authsvc.policy.rbac.objects import GROUP
from authsvc.policy.rbac.rules import Unsayable
from authsvc.policy.rbac.words import Object
from authsvc.policy.rows import Rows
from authsvc.policy.spaces import EVERYWHERE, Space

_API: Final = f"{GROUP}/v1"


class Misfit(NamedTuple):
    """A row that RBAC cannot say. ``dangerous``: without it, more is allowed than with it."""

    place: str
    message: str
    dangerous: bool

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class Exported(NamedTuple):
    """RBAC objects, and the rows that are not in them."""

    objects: tuple[Object, ...]
    misfits: tuple[Misfit, ...]


def export_rbac(rows: Rows) -> Exported:
    """Write a policy as RBAC objects, in the order of its rows, roles first."""
    return _Exporter(rows).export()


class _Exporter:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._holdings = Holdings(rows)
        self._misfits: dict[tuple[str, int], Misfit] = {}
        # Of each holder: its rules by namespace, "" for everywhere.
        self._pieces: dict[str, dict[str, list[Object]]] = {}
        self._names: dict[str, str] = {}

    def export(self) -> Exported:
        """Write roles, then bindings."""
        given = self._given()
        holders = [*self._holdings.roles, *self._holdings.subjects]
        taken: set[tuple[str, str]] = set()
        for holder in holders:
            home = _home(holder, given.get(holder, set()))
            pieces = self._rules_of(holder)
            if home:
                pieces = {home: [*pieces.get("", ()), *pieces.get(home, ())]}
            self._pieces[holder] = {place: rules for place, rules in pieces.items() if rules}
            self._names[holder] = name = _free_name(holder, home, self._pieces[holder], taken)
            taken |= {(place, name) for place in self._pieces[holder]}
        roles = [self._role(holder, place) for holder in holders for place in self._pieces[holder]]
        return Exported((*roles, *self._bindings()), tuple(self._misfits.values()))

    def _given(self) -> dict[str, set[str]]:
        """Return each role's grants' where, as written."""
        given: dict[str, set[str]] = {}
        grants = self._rows.grants
        for number, where in enumerate(grants.where):
            for role in self._holdings.given(number):
                given.setdefault(role, set()).add(globs.written(where))
        return given

    def _rules_of(self, holder: str) -> dict[str, list[Object]]:
        """Return a role's rules with those that it inherits, or a subject's own."""
        pieces: dict[str, list[Object]] = {}
        ways = self._holdings.ways(holder) if holder.startswith("role:") else [_itself(holder)]
        for way in ways:
            # A grant that does not fit is told where it stands, and leads nowhere.
            if None in [self._places(grant) for grant in way.grants]:
                continue
            for row in self._holdings.rules.get(way.holder, ()):
                self._add_row(pieces, row, way)
        return pieces

    def _add_row(self, pieces: dict[str, list[Object]], row: int, way: Way) -> None:
        places: dict[Space, list[Atom]] = {}
        for atom in row_atoms(self._rows.rules, row, way):
            places.setdefault(atom.where, []).append(atom)
        try:
            self._check(row)
            found = [(words.namespace_of(place), atoms) for place, atoms in places.items()]
            for namespace, atoms in found:
                rules = words.policy_rules(atoms)
                listed = pieces.setdefault(namespace, [])
                listed += [rule for rule in rules if rule not in listed]
        except Unsayable as error:
            deny = bool(self._rows.rules.deny[row])
            misfit = Misfit(self._rows.rules[row].place, str(error), deny)
            self._misfits.setdefault(("p", row), misfit)

    def _check(self, row: int) -> None:
        rules = self._rows.rules
        if rules.deny[row]:
            raise Unsayable("RBAC has no deny")
        if row in rules.when:
            raise Unsayable("RBAC has no conditions")
        if any(
            name and spaces.literal(name) is None for name in spaces.spaces_of(rules.which[row])
        ):
            raise Unsayable(f"RBAC has no globs in names: {rules[row].which}")

    def _places(self, grant: int) -> list[str] | None:
        """Return where a grant holds, "" for everywhere; None where it does not fit."""
        try:
            if grant in self._rows.grants.period:
                raise Unsayable("RBAC has no times")  # noqa: TRY301  one place that notes misfits
            where = self._rows.grants.where[grant]
            return [words.namespace_of(option) for option in spaces.spaces_of(where)]
        except Unsayable as error:
            misfit = Misfit(self._rows.grants[grant].place, str(error), dangerous=False)
            self._misfits.setdefault(("g", grant), misfit)
            return None

    def _role(self, holder: str, place: str) -> Object:
        return {
            "apiVersion": _API,
            "kind": "Role" if place else "ClusterRole",
            "metadata": _metadata(self._names[holder], place),
            "rules": self._pieces[holder][place],
        }

    def _bindings(self) -> Iterator[Object]:
        """Yield a binding of each role in each place, for all who have it there."""
        bound: dict[tuple[str, str, str], dict[str, None]] = {}
        for subject in self._holdings.subjects:
            for piece in self._pieces[subject]:
                bound.setdefault((piece, piece, self._names[subject]), {})[subject] = None
            for grant in self._holdings.grants.get(subject, ()):
                for place in self._places(grant) or ():
                    for role in self._holdings.given(grant):
                        for piece in self._pieces[role]:
                            if not piece or not place or piece == place:
                                key = (piece or place, piece, self._names[role])
                                bound.setdefault(key, {})[subject] = None
        taken: set[tuple[str, str]] = set()
        for (place, piece, role), subjects in bound.items():
            name = _unique(role, lambda name, place=place: (place, name) in taken)  # type: ignore[misc]  # bound now
            taken.add((place, name))
            yield {
                "apiVersion": _API,
                "kind": "RoleBinding" if place else "ClusterRoleBinding",
                "metadata": _metadata(name, place),
                "subjects": [one for subject in subjects for one in words.subjects_of(subject)],
                "roleRef": {
                    "apiGroup": GROUP,
                    "kind": "Role" if piece else "ClusterRole",
                    "name": role,
                },
            }


def _itself(holder: str) -> Way:
    return Way(holder, EVERYWHERE, ALWAYS, ())


def _metadata(name: str, namespace: str) -> dict[str, str]:
    return {"name": name, **({"namespace": namespace} if namespace else {})}


def _home(holder: str, given: set[str]) -> str:
    """Return the namespace of a role that was a Role there: ``role:NAMESPACE/NAME``."""
    namespace, slash, name = holder.removeprefix("role:").partition("/")
    there = holder.startswith("role:") and slash and name and given == {namespace}
    return namespace if there else ""


def _free_name(holder: str, home: str, places: Iterable[str], taken: set[tuple[str, str]]) -> str:
    """Return a name for a holder's roles that is free, and fit for a URL's path."""
    plain = holder.removeprefix("role:").removeprefix(f"{home}/" if home else "")
    name = re.sub(r"[/%]", ":", "user:everybody" if plain == EVERY_USER else plain)
    if name in {"", ".", ".."}:
        name = f"role:{name}"
    every = list(places)
    return _unique(name, lambda name: any((place, name) in taken for place in every))


def _unique(name: str, is_taken: Callable[[str], bool]) -> str:
    candidates = chain([name], (f"{name}:{number}" for number in count(2)))
    return next(candidate for candidate in candidates if not is_taken(candidate))
