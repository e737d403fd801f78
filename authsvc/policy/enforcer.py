"""Casbin's own enforcer over our rows: the law itself, and the judge of the index.

It walks every row for every decision. Traps of Casbin that this module keeps
shut: its reader of CSV (an adapter hands our rows over), its role manager
(``g(x, x)`` true, ten levels, one entry for each name ever asked for), an empty
policy (the matcher would be asked once with empty cells), ``eval()``, and
reloading (an enforcer is never changed: a new policy is a new one).
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, NamedTuple

import casbin
from casbin.persist import Adapter
from casbin.rbac import RoleManager

from authsvc.interfaces import NO_OPINION, Attributes, Decision, Effect
from authsvc.policy import cells, matching
from authsvc.policy.evaluation import Match, decision_by
from authsvc.policy.model import Model, casbin_model
from authsvc.policy.rows import Period, Rows

# Casbin has a matcher parsed by Python at each question, and CPython 3.11's
# parser counts its depth in a place that threads share: SystemError, now and then.
_PARSING = threading.Lock()


class _Asking(NamedTuple):
    """The subject of a request as Casbin carries it: who, and when."""

    subjects: tuple[str, ...]
    now: float


class _Step(NamedTuple):
    """One grant, as a way from its holder to a role."""

    role: str
    where: str
    period: Period | None
    row: int


class CasbinEvaluator:
    """A policy decided by Casbin's enforcer (an ``evaluation.Evaluator``)."""

    def __init__(self, rows: Rows, model: Model) -> None:
        self._rows = rows
        self._roles = _Roles(rows)
        self._enforcer = self._make(model)
        # A second one, whose policy is one row at a time, says of each row
        # whether it matches; the first one only names the row that decided.
        self._single = self._make(model)
        self._lock = threading.Lock()

    def _make(self, model: Model) -> Any:
        enforcer = casbin.Enforcer(casbin_model(model.text))
        enforcer.set_adapter(_RowsAdapter(self._rows))
        enforcer.set_role_manager(self._roles)
        for name, function in FUNCTIONS.items():
            enforcer.add_function(name, function)
        enforcer.load_policy()
        return enforcer

    def decide(self, attributes: Attributes, now: float) -> Decision:
        """Decide a request."""
        asking = _Asking(tuple(matching.subjects_of(attributes.user)), now)
        if not self._rows.rules or not asking.subjects:
            return NO_OPINION
        with _PARSING:
            allowed, row = self._enforcer.enforce_ex(*_request(asking, attributes))
        if row and (allowed or self._rows.rules.deny[row.number]):
            return decision_by(self._matches(row.number, asking, attributes)[0])
        return Decision(Effect.ALLOW, "allowed as nothing denies it") if allowed else NO_OPINION

    def explain(self, attributes: Attributes, now: float) -> list[Match]:
        """Return every rule that applies."""
        asking = _Asking(tuple(matching.subjects_of(attributes.user)), now)
        if not asking.subjects:
            return []
        found: list[Match] = []
        request = _request(asking, attributes)
        with self._lock:
            for row in self._enforcer.get_model()["p"]["p"].policy:
                self._single.get_model()["p"]["p"].policy = [row]
                with _PARSING:
                    applies = self._single.enforce_ex(*request)[1]
                if applies:
                    found += self._matches(row.number, asking, attributes)
        return found

    def _matches(self, row: int, asking: _Asking, attributes: Attributes) -> list[Match]:
        rule = self._rows.rules[row]
        namespace = matching.namespace_of(attributes)
        return [
            Match(rule, subject, tuple(self._rows.grants[grant] for grant in path))
            for subject, path in self._roles.paths(asking, rule.who, namespace)
        ] or [Match(rule, asking.subjects[0], ())]


class _Roles(RoleManager):  # type: ignore[misc]  # casbin has no types
    """Who holds which role where and when, without a limit of depth and without memory of names."""

    def __init__(self, rows: Rows) -> None:
        self._periods = rows.grants.period
        self._steps: dict[str, list[_Step]] = {}
        self._links = 0
        self._last: tuple[object, ...] = ()

    def clear(self) -> None:
        self._steps = {}
        self._links = 0

    def add_link(self, name1: str, name2: str, *domain: str) -> None:
        """Take a grant: Casbin hands them over in the order of the rows."""
        row, self._links = self._links, self._links + 1
        for holder in cells.parse_who(name1):
            for role in cells.parse_role(name2):
                step = _Step(role, domain[0], self._periods.get(row), row)
                self._steps.setdefault(holder, []).append(step)

    def has_link(self, name1: _Asking, name2: str, *domain: str) -> bool:
        """Whether the subjects of a request are, or hold, one of those of a cell."""
        held = self._held(name1, domain[0])
        return any(who_is in held for who_is in cells.parse_who(name2))

    def print_roles(self) -> None:
        """Say nothing: Casbin would log every role."""

    def paths(self, asking: _Asking, who: str, domain: str) -> list[tuple[str, tuple[int, ...]]]:
        """Return a shortest path of grants from each subject of a request to those of a cell."""
        found = []
        wanted = set(cells.parse_who(who))
        for subject in dict.fromkeys(asking.subjects):
            held = self._reach(_Asking((subject,), asking.now), domain)
            paths = [held[one] for one in wanted if one in held]
            if paths:
                found.append((subject, min(paths, key=lambda path: (len(path), path))))
        return found

    def _held(self, asking: _Asking, domain: str) -> dict[str, tuple[int, ...]]:
        last = self._last
        if not last or last[0] is not asking or last[1] != domain:
            self._last = last = (asking, domain, self._reach(asking, domain))
        return last[2]  # type: ignore[return-value]  # one tuple, so that threads see all of it or nothing

    def _reach(self, asking: _Asking, domain: str) -> dict[str, tuple[int, ...]]:
        held: dict[str, tuple[int, ...]] = dict.fromkeys(asking.subjects, ())
        todo = deque(held)
        while todo:
            holder = todo.popleft()
            for role, where, period, row in self._steps.get(holder, ()):
                if role in held or not matching.pattern_matches(domain, where):
                    continue
                if period is None or period.covers(asking.now):
                    held[role] = (*held[holder], row)
                    todo.append(role)
        return held


class _Row(list[str]):
    """The cells of a rule for Casbin, which gives the same object back: so it knows its number."""

    number: int


class _RowsAdapter(Adapter):  # type: ignore[misc]  # casbin has no types
    """Hands our rows to Casbin in place of its own reader."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def load_policy(self, model: Any) -> None:
        for number, rule in enumerate(self._rows.rules):
            row = _Row(
                (rule.who, rule.where, rule.what, rule.which, rule.may, rule.effect, rule.when)
            )
            row.number = number
            model["p"]["p"].policy.append(row)
        for grant in self._rows.grants:
            model["g"]["g"].policy.append(
                [grant.who, grant.role, grant.where, grant.since, grant.until]
            )


def _request(asking: _Asking, attributes: Attributes) -> tuple[object, ...]:
    return (
        asking,
        matching.namespace_of(attributes),
        attributes,
        matching.name_of(attributes),
        attributes.verb,
        attributes,
    )


FUNCTIONS = {
    "verbMatch": matching.verb_matches,
    "resourceMatch": matching.resource_matches,
    "patternMatch": matching.pattern_matches,
    "conditionMatch": matching.conditions_match,
}
"""What a matcher can call, beside Casbin's own functions and ``g``."""
