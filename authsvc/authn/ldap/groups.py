"""The groups of a user: all of them, or a failure.

A list that is shorter than the truth is never answered: a policy may deny by
group, so fewer groups can mean more rights. Groups are told apart by their DNs
until the end; the walk through groups of groups terminates because no group is
visited twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from fnmatch import fnmatchcase

from authsvc.authn.deadline import Deadline
from authsvc.authn.ldap.connection import NO_SUCH_OBJECT, Search
from authsvc.authn.ldap.directory import Directory
from authsvc.authn.ldap.entry import Entry
from authsvc.authn.ldap.errors import EntryError, Fault, RefusedError
from authsvc.authn.ldap.names import escape_filter_value, first_rdn, is_below, normalise_dn
from authsvc.authn.ldap.settings import (
    DN,
    GroupAttribute,
    Groups,
    GroupSearch,
    MemberOf,
    Nested,
    Scope,
)
from authsvc.errors import BackendError

_IN_CHAIN = ":1.2.840.113556.1.4.1941:"  # [MS-ADTS] section 3.1.1.3.4.4.3
_MEMBERS_PER_SEARCH = 50


class GroupFinder:
    """Finds the groups of an entry by each of the sources."""

    def __init__(self, settings: Groups, prefix: str, directory: Directory) -> None:
        self._settings = settings
        self._prefix = prefix
        self._directory = directory
        self._include = [pattern.casefold() for pattern in settings.include]
        self._exclude = [pattern.casefold() for pattern in settings.exclude]

    def names(self, entry: Entry, deadline: Deadline) -> tuple[str, ...]:
        """Return the names of the entry's groups that are kept, each once, with the prefix.

        Raises:
            EntryError: a group has no name, or two have the same.
            BackendError: the groups could not be found, or there are too many.
        """
        named: dict[str, tuple[str, str]] = {}
        plain: set[str] = set()
        for source in self._settings.sources:
            match source:
                case GroupAttribute():
                    plain.update(entry.texts(source.attribute))
                case GroupSearch():
                    found = self._by_search(source, entry, deadline)
                    named |= {normalise_dn(dn): (name, dn) for dn, name in found.items()}
                case MemberOf():
                    found = self._by_member_of(source, entry, deadline)
                    named |= {normalise_dn(dn): (name, dn) for dn, name in found.items()}
        names = plain | _distinct(named.values())
        return tuple(self._prefix + name for name in sorted(names) if self._is_kept(name))

    def _by_search(self, source: GroupSearch, entry: Entry, deadline: Deadline) -> dict[str, str]:
        found: dict[str, str] = {}
        seen = {normalise_dn(entry.dn)}
        members: Sequence[str] = (entry.text(source.member_value),)
        for _ in range(self._settings.max_depth):
            groups = [
                group
                for chunk in _chunks(members)
                for group in self._directory.search(_search_for(source, chunk), deadline)
                if normalise_dn(group.dn) not in seen
            ]
            for group in groups:
                found[group.dn] = group.text(source.name)
                seen.add(normalise_dn(group.dn))
            self._check_number(found)
            if source.nested is not Nested.RECURSIVE or not groups:
                return found
            members = tuple({group.dn: None for group in groups})
        raise BackendError(f"groups are nested more than {self._settings.max_depth} deep")

    def _by_member_of(self, source: MemberOf, entry: Entry, deadline: Deadline) -> dict[str, str]:
        found: dict[str, str] = {}
        seen: set[str] = set()
        level = list(entry.texts(source.attribute))
        for _ in range(self._settings.max_depth):
            above: list[str] = []
            for dn in level:
                if normalise_dn(dn) in seen:
                    continue
                seen.add(normalise_dn(dn))
                self._check_number(seen)
                kept = source.base is None or is_below(dn, source.base)
                name, parents = self._member_of(source, dn, kept, deadline)
                above.extend(parents)
                if kept:
                    found[dn] = name
            if not above:
                return found
            level = above
        raise BackendError(f"groups are nested more than {self._settings.max_depth} deep")

    def _member_of(
        self, source: MemberOf, dn: str, named: bool, deadline: Deadline
    ) -> tuple[str, tuple[str, ...]]:
        """Return a group's name and the groups it is in; read its entry only where needed."""
        name = _name_in_dn(dn, source.name)
        recursive = source.nested is Nested.RECURSIVE
        if not recursive and (name is not None or not named):
            return name or "", ()
        attributes = (source.name, source.attribute) if recursive else (source.name,)
        group = self._read(dn, attributes, deadline)
        if name is None:
            name = group.text(source.name) if named else ""
        return name, group.texts(source.attribute) if recursive else ()

    def _read(self, dn: str, attributes: tuple[str, ...], deadline: Deadline) -> Entry:
        wanted = tuple(name for name in attributes if name.lower() != DN)
        try:
            entries = self._directory.search(
                Search(dn, Scope.BASE, "(objectClass=*)", wanted, limit=1), deadline
            )
        except RefusedError as error:
            if error.code != NO_SUCH_OBJECT:
                raise
            entries = ()
        if not entries:
            raise EntryError(f"group {dn!r} cannot be read")
        return entries[0]

    def _check_number(self, groups: Sized) -> None:
        if len(groups) > self._settings.max_groups:
            raise BackendError(f"a user has more than {self._settings.max_groups} groups")

    def _is_kept(self, name: str) -> bool:
        folded = name.casefold()
        included = not self._include or any(fnmatchcase(folded, each) for each in self._include)
        return included and not any(fnmatchcase(folded, each) for each in self._exclude)


def _search_for(source: GroupSearch, members: Iterable[str]) -> Search:
    rule = _IN_CHAIN if source.nested is Nested.MATCHING_RULE_IN_CHAIN else ""
    conditions = [
        f"({attribute}{rule}={value})"
        for value in map(escape_filter_value, members)
        for attribute in source.member_attributes
    ]
    any_of = conditions[0] if len(conditions) == 1 else f"(|{''.join(conditions)})"
    attributes = () if source.name.lower() == DN else (source.name,)
    return Search(source.base, source.scope, f"(&{source.filter}{any_of})", attributes)


def _chunks(members: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(members), _MEMBERS_PER_SEARCH):
        yield members[start : start + _MEMBERS_PER_SEARCH]


def _name_in_dn(dn: str, attribute: str) -> str | None:
    if attribute.lower() == DN:
        return dn
    rdn = first_rdn(dn)
    return rdn[1] if rdn and rdn[0].lower() == attribute.lower() else None


def _distinct(named: Iterable[tuple[str, str]]) -> set[str]:
    """Return the names; two groups that would become one are an error, for rights go by name."""
    first: dict[str, str] = {}
    for name, dn in named:
        other = first.setdefault(name, dn)
        if other != dn:
            raise EntryError(
                f"groups {other!r} and {dn!r} are both named {name!r}; name groups by dn",
                Fault.SAME_NAME,
            )
    return set(first)
