"""One question answered as a tree: each path, each row, why it applied or did not.

The verdict is the evaluator's own. The rest is said by ``matching``, cell by
cell, which shares nothing with the index.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from authsvc.interfaces import Attributes, Decision, Effect
from authsvc.policy import matching
from authsvc.policy.asking import show_resource
from authsvc.policy.cells import show_subject
from authsvc.policy.evaluation import Match
from authsvc.policy.holdings import Holdings
from authsvc.policy.rows import Grant, Rule
from authsvc.policy.snapshot import PolicySnapshot


class Miss(NamedTuple):
    """A cell that does not hold what was asked."""

    cell: str
    why: str


class RuleNode(NamedTuple):
    """A rule that the subject comes to, and why it does not apply: not at all where it does."""

    rule: Rule
    misses: tuple[Miss, ...]


class GrantNode(NamedTuple):
    """A grant, why it gives nothing here and now, and what its role leads to where it does."""

    grant: Grant
    misses: tuple[Miss, ...]
    roles: tuple[Holder, ...]


class Holder(NamedTuple):
    """A subject or a role, with its own rows.

    ``left_out``: they stand further up, or they are too many roles deep.
    """

    name: str
    rules: tuple[RuleNode, ...] = ()
    grants: tuple[GrantNode, ...] = ()
    left_out: bool = False


class Near(NamedTuple):
    """What would have allowed it, had one thing been otherwise."""

    miss: str
    places: tuple[str, ...]


class Explanation(NamedTuple):
    """The verdict, what decided it, and the tree. ``roles`` would each have allowed it."""

    request: Attributes
    decision: Decision
    matches: tuple[Match, ...]
    tree: tuple[Holder, ...]
    nearest: tuple[Near, ...]
    roles: tuple[str, ...]


_MOST_NEAR = 5
_DEEP = 20
"""Roles by way of roles that the tree goes down; the verdict goes down all of them."""


def explain(snapshot: PolicySnapshot, request: Attributes, now: float) -> Explanation:
    """Answer one question with all that there is to know about it."""
    walk = _Walk(Holdings(snapshot.rows), request, now)
    subjects = dict.fromkeys(matching.subjects_of(request.user))
    tree = tuple(
        holder for subject in subjects if (holder := walk.holder(subject)).rules or holder.grants
    )
    decision = snapshot.evaluator.decide(request, now)
    near: list[Near] = []
    roles: list[str] = []
    if decision.effect is Effect.NO_OPINION:
        near = sorted(walk.near, key=lambda one: len(one.places))[:_MOST_NEAR]
        roles = walk.allowing_roles()
    matches = tuple(snapshot.evaluator.explain(request, now))
    return Explanation(request, decision, matches, tree, tuple(near), tuple(roles))


class _Walk:
    def __init__(self, holdings: Holdings, request: Attributes, now: float) -> None:
        self._holdings = holdings
        self._request = request
        self._now = now
        self._seen: set[str] = set()
        self.near: list[Near] = []

    def holder(self, name: str, path: tuple[str, ...] = ()) -> Holder:
        """Return the tree below a subject or role; ``path`` are the grants that led here."""
        shown = show_subject(name)
        if name in self._seen or len(path) >= _DEEP:
            return Holder(shown, left_out=True)
        self._seen.add(name)
        rules = tuple(self._rules(name, path))
        grants = tuple(self._grants(name, path))
        return Holder(shown, rules, grants)

    def allowing_roles(self) -> list[str]:
        """Return the roles that would have allowed it, had they been held here."""
        return [
            role for role in self._holdings.roles if role not in self._seen and self._allows(role)
        ]

    def _allows(self, role: str) -> bool:
        allowed = False
        for name in self._held(role):
            for row in self._holdings.rules.get(name, ()):
                rule = self._holdings.rows.rules[row]
                if not misses_of(rule, self._request):
                    if rule.effect == "deny":
                        return False
                    allowed = True
        return allowed

    def _held(self, role: str) -> Iterator[str]:
        held = {role}
        todo = [role]
        while todo:
            name = todo.pop()
            yield name
            for number in self._holdings.grants.get(name, ()):
                if not self._grant_misses(number):
                    fresh = set(self._holdings.given(number)) - held
                    held |= fresh
                    todo += fresh

    def _rules(self, name: str, path: tuple[str, ...]) -> Iterator[RuleNode]:
        for row in self._holdings.rules.get(name, ()):
            rule = self._holdings.rows.rules[row]
            misses = misses_of(rule, self._request)
            if len(misses) == 1 and rule.effect == "allow" and misses[0].cell != "what":
                self.near.append(Near(misses[0].why, (rule.place, *path)))
            yield RuleNode(rule, misses)

    def _grants(self, name: str, path: tuple[str, ...]) -> Iterator[GrantNode]:
        for number in self._holdings.grants.get(name, ()):
            grant = self._holdings.rows.grants[number]
            misses = self._grant_misses(number)
            if misses:
                roles: tuple[Holder, ...] = tuple(
                    Holder(role) for role in self._holdings.given(number)
                )
                if len(misses) == 1 and any(map(self._allows, self._holdings.given(number))):
                    why = f"{grant.role} would allow it, but {misses[0].why}"
                    self.near.append(Near(why, (grant.place, *path)))
            else:
                given = self._holdings.given(number)
                roles = tuple(self.holder(role, (grant.place, *path)) for role in given)
            yield GrantNode(grant, misses, roles)

    def _grant_misses(self, number: int) -> tuple[Miss, ...]:
        rows = self._holdings.rows
        grant = rows.grants[number]
        misses = []
        namespace = matching.namespace_of(self._request)
        if not matching.pattern_matches(namespace, grant.where):
            misses.append(Miss("where", _where(self._request, grant.where, "the grant is for")))
        period = rows.grants.period.get(number)
        if period is not None and not period.covers(self._now):
            over = period.end is not None and period.end <= self._now
            word = f"it ended at {period.until}" if over else f"it begins at {period.since}"
            misses.append(Miss("time", word))
        return tuple(misses)


def misses_of(rule: Rule, request: Attributes) -> tuple[Miss, ...]:
    """Return each cell of a rule (but ``who``) that does not hold what was asked."""
    return tuple(_misses(rule, request))


def _misses(rule: Rule, request: Attributes) -> Iterator[Miss]:
    if not matching.resource_matches(request, rule.what):
        asked = show_resource(request) if request.resource_request else request.path
        yield Miss("what", f"{asked} is not in {rule.what}")
        if request.resource_request is rule.what.startswith("/"):
            return  # a path and a resource have nothing else to compare
    if not matching.verb_matches(request.verb, rule.may):
        yield Miss("may", f"{request.verb} is not in {rule.may}")
    if not matching.pattern_matches(matching.namespace_of(request), rule.where):
        yield Miss("where", _where(request, rule.where, "the rule is for"))
    if not matching.pattern_matches(matching.name_of(request), rule.which):
        name = repr(request.name) if request.name else "a request without a name"
        yield Miss("which", f"{name} is not {rule.which}")
    if not matching.conditions_match(request, rule.when, rule.effect):
        yield Miss("when", f"the request is not as narrow as {rule.when}")


def _where(request: Attributes, where: str, who: str) -> str:
    if request.namespace:
        return f"{who} {where}, not {request.namespace}"
    if not request.resource_request:
        return f"{who} {where}, and a path is in no namespace"
    return f"{who} {where}, not all namespaces or what is cluster-scoped"
