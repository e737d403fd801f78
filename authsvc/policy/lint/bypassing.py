"""Denies that somebody walks round by asking for more: for all namespaces, or for all names.

A rule for a namespace says nothing of a request for all of them, and one for a
name nothing of a list. So what is denied in ``prod`` is read by ``list -A``,
where something else allows that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

from authsvc.policy import cells, globs, spaces
from authsvc.policy.atoms import wider
from authsvc.policy.cells import ANY, EVERY_USER, Paths, Resource
from authsvc.policy.escapes import escape
from authsvc.policy.lines import join_row
from authsvc.policy.lint.finding import Finding, Inspected, Kind, warning
from authsvc.policy.lint.people import EVERYBODY, may_be, pool_of
from authsvc.policy.rows import Action
from authsvc.policy.spaces import EVERYWHERE, Space
from authsvc.policy.wording import show_target

_MANY: Final = ("list", "watch", "deletecollection")
"""Verbs by which one request reaches many objects."""

_LOOKED_AT: Final = 100
"""Rules for some namespaces that a deny is compared with."""

_Lists: TypeAlias = dict[Resource, frozenset[str]]
"""What a rule says of many objects at once: which of these verbs, for each resource."""


def bypassed_denies(inspected: Inspected) -> Iterator[Finding]:
    """Find denies for a namespace or a name of what may be read all at once."""
    rules = inspected.rows.rules
    if not any(rules.deny):
        return
    search = _Search(inspected)
    for row in range(len(rules)):
        if rules.deny[row] and (found := search.way_round(row)):
            allow = rules[found.allow.row].place
            subject = cells.show_subject(found.allow.subject)
            message = f"says nothing of `{found.request}`, which {allow} allows {subject}"
            yield warning(rules[row], Kind.BYPASSABLE, message, f"add the row {found.remedy}")


class _Held(NamedTuple):
    """A rule for all names, as far as a subject holds it; ``all_at_once``: for ``-A`` as well."""

    row: int
    subject: str
    lists: _Lists
    where: tuple[Space, ...]
    all_at_once: bool


class _WayRound(NamedTuple):
    """A request that a deny leaves open, the rule that allows it, and the row that would not."""

    request: str
    allow: _Held
    remedy: str


class _Filed:
    """Rules, found by the resources and the places that they are about."""

    def __init__(self) -> None:
        self._rules: dict[Resource, dict[str | None, list[_Held]]] = {}
        self._about = cache(self._find_about)

    def add(self, held: _Held) -> None:
        """File one: under the namespaces that it names, None for globs, "" for all at once."""
        places = dict.fromkeys(spaces.literal(space) for space in held.where)
        for target in held.lists:
            by_place = self._rules.setdefault(target, {})
            for place in ("",) if held.all_at_once else places:
                by_place.setdefault(place, []).append(held)

    def find(self, resource: Resource, where: Space | None) -> Iterator[_Held]:
        """Yield those that may be about a resource there; None is ``-A``."""
        for target in self._about(resource):
            by_place = self._rules[target]
            yield from by_place.get("", ())
            if where is not None:
                place = spaces.literal(where)
                others = [key for key in by_place if key != ""] if place is None else [place, None]
                found = (held for other in others for held in by_place.get(other, ()))
                yield from islice(found, _LOOKED_AT)

    def _find_about(self, resource: Resource) -> list[Resource]:
        if ANY in resource[:2]:
            return [target for target in self._rules if _meet(resource, target)]
        found = wider(resource) & self._rules.keys()
        return sorted(found, key=str)  # so that the same policy is told of in the same words


class _Search:
    """Looks for a way round each deny, for each subject that holds it."""

    def __init__(self, inspected: Inspected) -> None:
        self._rules = inspected.rows.rules
        self._holdings = inspected.holdings
        self._catalogue = inspected.catalogue
        self._now = inspected.now
        self._ways = cache(lambda subject: self._holdings.ways(subject, self._now))
        self._lists = cache(lambda action: dict(_lists(self._rules.actions[action])))
        self._known = cache(self._find_known)
        self._denies = cache(self._find_denies)
        self._own = cache(lambda subject: self._file([subject]))
        self._others = cache(self._find_others)
        self._of_role: dict[str, list[tuple[str, Space]]] | None = None

    def way_round(self, row: int) -> _WayRound | None:
        """Return a way round a deny, if there is one."""
        lists = self._known(self._rules.action[row])
        for subject, outer in self._holders(row) if lists else ():
            places = self._places(row, outer)
            if places and (found := self._round(row, subject, lists, places)):
                return found
        return None

    def _round(
        self, row: int, subject: str, lists: _Lists, places: tuple[Space, ...]
    ) -> _WayRound | None:
        named = not globs.matches(self._rules.which[row], "")
        if named:
            everywhere = lists
        elif any(spaces.contains(place, "") for place in places):
            return None
        else:  # What is cluster-scoped is in no namespace, so nobody is denied it there.
            everywhere = {one: lists[one] for one in lists if self._is_namespaced(one)}
        for place in (None, *places) if named else (None,):
            asked = everywhere if place is None else lists
            for allow in self._allows(subject, asked, place):
                for where in _shared(allow, place):
                    if left := self._left_open(row, subject, asked, allow, where):
                        cell = "*" if where is None else "|".join(map(spaces.show, places))
                        remedy = self._remedy(row, subject, asked, cell)
                        return _WayRound(self._request(*left, where), allow, remedy)
        return None

    def _request(self, verb: str, resource: Resource, where: Space | None) -> str:
        place = ""
        if self._is_namespaced(resource):
            place = " -A" if where is None else f" -n {spaces.show(where)}"
        return f"{verb} {show_target(resource)}{place}"

    def _left_open(
        self, row: int, subject: str, lists: _Lists, allow: _Held, where: Space | None
    ) -> tuple[str, Resource] | None:
        """Return a verb and a resource that an allow is about there, and no deny of the subject."""
        when = self._when(row)
        for one, verbs in lists.items():
            for other, allowed in allow.lists.items():
                resource = _meet(one, other)
                if resource is None:
                    continue
                denied = {
                    verb
                    for holder in (subject, *EVERYBODY)
                    for deny in self._denies(holder).find(resource, where)
                    if self._when(deny.row) in {"", when} and _covers(deny, where)
                    for target in wider(resource) & deny.lists.keys()
                    for verb in deny.lists[target]
                }
                for verb in _MANY:
                    if verb in verbs & allowed and verb not in denied:
                        return verb, resource
        return None

    def _remedy(self, row: int, subject: str, lists: _Lists, where: str) -> str:
        """Return the row that denies what a deny leaves open."""
        rule = self._rules[row]
        # A deny of a role reaches no further than the role is held: the subject needs its own.
        who = rule.who if subject in cells.parse_who(rule.who) else _written(subject)
        what = "|".join(map(show_target, lists))
        verbs = "|".join(verb for verb in _MANY if any(verb in has for has in lists.values()))
        condition = [rule.when] if rule.when else []
        return f"`{join_row(['p', who, where, what, '*', verbs, 'deny', *condition])}`"

    def _allows(self, subject: str, lists: _Lists, where: Space | None) -> Iterator[_Held]:
        """Yield allows of the subject, and of what the same person may be as well."""
        for filed in (self._own(subject), self._others(pool_of(subject))):
            for resource in lists:
                yield from filed.find(resource, where)

    def _find_others(self, pool: str) -> _Filed:
        return self._file([other for other in self._holdings.subjects if may_be(pool, other)])

    def _file(self, subjects: Collection[str]) -> _Filed:
        filed = _Filed()
        seen: set[tuple[object, ...]] = set()
        for subject in subjects:
            for held in self._held(subject, deny=False):
                # Of equal ones, the first is as good as the others.
                key = (self._rules.action[held.row], held.all_at_once or held.where)
                if key not in seen:
                    seen.add(key)
                    filed.add(held)
        return filed

    def _find_denies(self, subject: str) -> _Filed:
        filed = _Filed()
        for held in self._held(subject, deny=True):
            filed.add(held)
        return filed

    def _held(self, subject: str, *, deny: bool) -> Iterator[_Held]:
        """Yield the rules for all names that a subject comes to."""
        rules = self._rules
        for way in self._ways(subject):
            for row in self._holdings.rules.get(way.holder, ()):
                if bool(rules.deny[row]) is deny and globs.matches(rules.which[row], ""):
                    lists = self._lists(rules.action[row])
                    where = self._places(row, way.where) if lists else ()
                    if where:
                        all_at_once = any(spaces.contains(place, "") for place in where)
                        yield _Held(row, subject, lists, where, all_at_once)

    def _holders(self, row: int) -> Iterator[tuple[str, Space]]:
        """Yield the subjects that hold a rule, and where."""
        for holder in cells.parse_who(self._rules.who[row]):
            if holder.startswith("role:"):
                yield from self._holders_of(holder)
            else:
                yield holder, EVERYWHERE

    def _holders_of(self, role: str) -> list[tuple[str, Space]]:
        if self._of_role is None:
            self._of_role = {}
            for subject in self._holdings.subjects:
                for way in self._ways(subject):
                    self._of_role.setdefault(way.holder, []).append((subject, way.where))
        return self._of_role.get(role, [])

    def _places(self, row: int, outer: Space) -> tuple[Space, ...]:
        met = (spaces.meet(outer, one) for one in spaces.spaces_of(self._rules.where[row]))
        return tuple(place for place in met if place is not None)

    def _when(self, row: int) -> str:
        return self._rules.when[row][0] if row in self._rules.when else ""

    def _find_known(self, action: int) -> _Lists:
        """Leave out the verbs that no API server is asked for."""
        found = {}
        for target, verbs in self._lists(action).items():
            known = self._catalogue.matching(target)
            has = frozenset(verb for one in known if not one.subresource for verb in one.verbs)
            if left := verbs & has if known else verbs:
                found[target] = left
        return found

    def _is_namespaced(self, target: Resource) -> bool:
        known = self._catalogue.matching(target)
        # A namespace itself is asked about in the namespace of its own name.
        return not known or any(one.namespaced or one.resource == "namespaces" for one in known)


def _written(subject: str) -> str:
    """Return the cell for a subject."""
    return "user:*" if subject == EVERY_USER else escape(cells.show_subject(subject))


def _lists(action: Action) -> Iterator[tuple[Resource, frozenset[str]]]:
    """Yield what an action says of many objects: no subresource is listed."""
    verbs = frozenset(_MANY) if action.verbs is None else action.verbs.intersection(_MANY)
    if verbs and not isinstance(action.target, Paths):
        for target in action.target:
            if target.subresource in {"", ANY}:
                yield target, verbs


def _meet(one: Resource, other: Resource) -> Resource | None:
    """Return the resources, without their subresources, that two alternatives both cover."""
    parts = []
    for mine, its in ((one.resource, other.resource), (one.group, other.group)):
        if mine not in {its, ANY} and its != ANY:
            return None
        parts.append(its if mine == ANY else mine)
    resource, group = parts
    return Resource(resource, group, "")


def _shared(held: _Held, place: Space | None) -> list[Space | None]:
    """Return where a rule answers requests in a place; None is for all namespaces at once."""
    if place is None:
        return [None] if held.all_at_once else []
    return [one for one in (spaces.meet(place, where) for where in held.where) if one is not None]


def _covers(held: _Held, where: Space | None) -> bool:
    """Whether a rule answers every request there."""
    if where is None:
        return held.all_at_once
    return spaces.within(where, held.where)
