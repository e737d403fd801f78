"""The compiled policy: model.conf and the rows as tables, asked in microseconds.

What a decision costs depends on the subjects of the request and the roles they
hold there, never on how many rows there are:

- *Who*: a subject or role leads to its rules and its grants. A few are kept as
  row numbers; many are filed under what they are about and where they hold.
- *What and may*: rules share few pairs of them, the actions. A request matches
  a set of actions, found by look-ups and remembered; a role is skipped, in one
  operation on sets, where it has none of them.
- *Where and which*: compared, or looked up in a ``PatternTable``.

Deny and allow are different actions, so that the first match of each ends the
search. Casbin's enforcer (``enforcer``) is the judge of this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from authsvc.interfaces import NO_OPINION, Attributes, Decision
from authsvc.policy.actions import ActionTable
from authsvc.policy.compiler import GrantsOf, RulesOf, RuleTable, compile_grants, compile_rules
from authsvc.policy.conditions import holds
from authsvc.policy.evaluation import Match, decision_by
from authsvc.policy.globs import EVERYTHING, Pattern
from authsvc.policy.manners import quiet_gc
from authsvc.policy.matching import name_of, namespace_of, subjects_of
from authsvc.policy.rows import Rows

_CACHED: Final = 4096

_Held: TypeAlias = dict[str, tuple[str, int] | None]
"""Who a request is made as: its subjects, and each role with its holder and the grant's row."""


class PolicyIndex:
    """A policy compiled from its rows, by the shipped model; an ``evaluation.Evaluator``."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._decisions: dict[tuple[object, ...], Decision] = {}
        with quiet_gc():
            self._actions = ActionTable(rows.rules)
            self._rules = compile_rules(rows.rules, self._actions.of_row)
            self._grants, self._roles = compile_grants(rows.grants)

    def decide(self, attributes: Attributes, now: float) -> Decision:
        """Decide a request."""
        allow, deny = self._actions.matching(attributes)
        if not allow and not deny:
            return NO_OPINION
        allowed: tuple[int, str] | None = None
        held: _Held = {}
        for holder, rules in self._walk(attributes, now, subjects_of(attributes.user), held):
            if deny:
                for row in self._applying(rules, deny, attributes):
                    return self._decision(row, holder, held)
            if allowed is None:
                for row in self._applying(rules, allow, attributes):
                    allowed = (row, holder)
                    break
            if allowed is not None and not deny:
                break
        return self._decision(*allowed, held) if allowed else NO_OPINION

    def explain(self, attributes: Attributes, now: float) -> list[Match]:
        """Return every rule that applies."""
        allow, deny = self._actions.matching(attributes)
        found: dict[tuple[int, int], Match] = {}
        for place, subject in enumerate(dict.fromkeys(subjects_of(attributes.user))):
            held: _Held = {}
            for holder, rules in self._walk(attributes, now, (subject,), held):
                for row in self._applying(rules, allow | deny, attributes):
                    if (row, place) not in found:
                        found[row, place] = self._match(row, holder, held)
        return [match for _, match in sorted(found.items(), key=lambda item: item[0])]

    def _walk(
        self, attributes: Attributes, now: float, subjects: Iterable[str], held: _Held
    ) -> Iterator[tuple[str, RulesOf]]:
        """Yield the subjects, and the roles they hold there and then, with their rules.

        Breadth first, so that the way to a role that ``held`` notes is a shortest.
        """
        namespace = namespace_of(attributes)
        rules_of, grants_of = self._rules.get, self._grants.get
        held.update(dict.fromkeys(subjects))
        todo = list(held)
        for holder in todo:
            rules = rules_of(holder)
            if rules is not None:
                yield holder, rules
            grants = grants_of(holder)
            if grants is not None:
                for row in self._granted(grants, namespace, now):
                    for role in self._roles[row]:
                        if role not in held:
                            held[role] = (holder, row)
                            todo.append(role)

    def _granted(self, grants: GrantsOf, namespace: str, now: float) -> Iterator[int]:
        """Yield the rows of the grants that hold in the namespace at the time."""
        table = self._rows.grants
        where = table.where
        if isinstance(grants, int):
            grants = (grants,)
        elif not isinstance(grants, tuple):
            grants = grants.find(namespace)
        for row in grants:
            if _fits(where[row], namespace):
                period = table.period.get(row)
                if period is None or period.covers(now):
                    yield row

    def _applying(
        self, rules: RulesOf, actions: frozenset[int], attributes: Attributes
    ) -> Iterator[int]:
        """Yield the rows of the rules that are about these actions and apply."""
        of_row = self._actions.of_row
        if isinstance(rules, RuleTable):
            if rules.actions.isdisjoint(actions):
                return
            namespace, name = namespace_of(attributes), name_of(attributes)
            rows = rules.find(rules.actions & actions, namespace, name)
        else:
            namespace, name = namespace_of(attributes), name_of(attributes)
            numbers = (rules,) if isinstance(rules, int) else rules
            rows = (row for row in numbers if of_row[row] in actions)
        table = self._rows.rules
        where, which, when = table.where, table.which, table.when
        for row in rows:
            if _fits(where[row], namespace) and _fits(which[row], name):
                if row in when and not holds(when[row][1], attributes, deny=bool(table.deny[row])):
                    continue
                yield row

    def _decision(self, row: int, holder: str, held: _Held) -> Decision:
        key: tuple[object, ...] = (row, holder)
        step = held[holder]
        while step is not None:
            key = (*key, *step)
            step = held[step[0]]
        decision = self._decisions.get(key)
        if decision is None:
            if len(self._decisions) >= _CACHED:
                self._decisions.clear()
            decision = self._decisions[key] = decision_by(self._match(row, holder, held))
        return decision

    def _match(self, row: int, holder: str, held: _Held) -> Match:
        grants = []
        step = held[holder]
        while step is not None:
            holder, grant = step
            grants.append(self._rows.grants[grant])
            step = held[holder]
        return Match(self._rows.rules[row], holder, tuple(reversed(grants)))


def _fits(pattern: Pattern, text: str) -> bool:
    if pattern is EVERYTHING:
        return True
    return pattern == text if isinstance(pattern, str) else pattern.matches(text)
