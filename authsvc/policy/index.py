"""The compiled policy: model.conf and the rows as tables, asked in microseconds.

What a decision costs depends on the subjects of the request and the roles they
hold there, never on how many rows there are:

- *Who*: a subject or role leads to its rows. A few are looked at one by one;
  many are filed under what they are about and where they hold.
- *What and may*: rules share few pairs of them, the actions. A request matches
  a set of actions, found by look-ups and remembered; a role with many rows is
  skipped, in one operation on sets, where it has none of them.
- *Where and which*: compared, or looked up in a ``PatternTable``.

Deny and allow are different actions, so that the first match of each ends the
search. Casbin's enforcer (``enforcer``) is the judge of this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from authsvc.interfaces import NO_OPINION, Attributes, Decision, UserInfo
from authsvc.policy.actions import CONDITIONAL, DENY, ActionTable
from authsvc.policy.background_load import gc_frozen
from authsvc.policy.cells import EVERY_USER
from authsvc.policy.compiler import GROUP, GrantLink, Held, Link, Many, Timed, compile_entries
from authsvc.policy.conditions import holds
from authsvc.policy.evaluation import Match, decision_by
from authsvc.policy.globs import EVERYTHING
from authsvc.policy.rows import Rows

_CACHED: Final = 4096

_Roles: TypeAlias = dict[str, tuple[str, int]]
"""The roles that a request is made with: each with its holder and the grant's row."""

_Hit: TypeAlias = tuple[int, str]
"""The row of a rule that applies, and the subject or role that it names."""


class PolicyIndex:
    """A policy compiled from its rows, by the shipped model; an ``evaluation.Evaluator``."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._decisions: dict[tuple[object, ...], Decision] = {}
        with gc_frozen():
            self._actions = ActionTable(rows.rules)
            entries = compile_entries(rows, self._actions.of_row)
        # What each decision asks, at hand.
        self._groups = entries.groups
        self._find = entries.others.get
        self._of_row = self._actions.of_row
        self._where = rows.rules.where
        self._which = rows.rules.which

    def decide(self, attributes: Attributes, now: float) -> Decision:
        """Decide a request."""
        roles: _Roles = {}
        hit = self._search(attributes, now, self._held_by(attributes.user), roles, None)
        return NO_OPINION if hit is None else self._decision(*hit, roles)

    def explain(self, attributes: Attributes, now: float) -> list[Match]:
        """Return every rule that applies."""
        found: dict[tuple[int, int], Match] = {}
        for place, held in enumerate(self._held_by(attributes.user)):
            roles: _Roles = {}
            hits: list[_Hit] = []
            self._search(attributes, now, [held], roles, hits)
            for row, holder in hits:
                # The search is breadth first: the first way to a rule is a shortest.
                if (row, place) not in found:
                    found[row, place] = self._match(row, holder, roles)
        return [match for _, match in sorted(found.items(), key=lambda item: item[0])]

    def _held_by(self, user: UserInfo) -> list[Held]:
        """Return the subjects that a request is made by, those that lead anywhere, each once.

        The name comes first, then the groups, of which a person has many and the
        policy few, then everybody; nobody (no name, no groups) is nothing of these.
        """
        name, groups, find = user.username, self._groups, self._find
        held: list[Held] = []
        if name and (entry := find(subject := "user:" + name)) is not None:
            held.append((subject, entry))
        if known := groups.keys() & user.groups:
            ordered: Iterable[str] = known
            if len(known) > 1:
                ordered = [group for group in dict.fromkeys(user.groups) if group in known]
            held += [(GROUP + group, groups[group]) for group in ordered]
        if name and (entry := find(EVERY_USER)) is not None:
            held.append((EVERY_USER, entry))
        return held

    def _search(  # noqa: C901, PLR0912  the one hot loop: a call for each row would double its cost
        self,
        attributes: Attributes,
        now: float,
        todo: list[Held],
        roles: _Roles,
        every: list[_Hit] | None,
    ) -> _Hit | None:
        """Walk the subjects ``todo`` and the roles they hold there and then, breadth first.

        Returns the rule that decides: the first deny, or else the first allow.
        With a list for ``every`` rule that applies, fills it and walks to the
        end. ``roles`` is filled with the way to each.
        """
        live, deny = self._actions.matching(attributes)
        if not live:
            return None
        namespace = name = ""
        if attributes.resource_request:
            namespace, name = attributes.namespace, attributes.name
        find, actions, wheres, whiches = self._find, self._of_row, self._where, self._which
        allowed: _Hit | None = None
        for holder, entry in todo:
            if isinstance(entry, Many):
                links: Iterable[Link] = entry.find(live, namespace, name)
            else:
                links = entry if isinstance(entry, tuple) else (entry,)
            for link in links:
                if isinstance(link, GrantLink):
                    where = link.where
                    if where == namespace or (
                        not isinstance(where, str)
                        and (where is EVERYTHING or where.matches(namespace))
                    ):
                        given = link.roles
                        for role in given.at(now) if isinstance(given, Timed) else given:
                            if role not in roles:
                                roles[role] = (holder, link.row)
                                if (further := find(role)) is not None:
                                    todo.append((role, further))
                    continue
                action = actions[link]
                if action not in live:
                    continue
                where = wheres[link]
                if where is not EVERYTHING and not (
                    where == namespace if isinstance(where, str) else where.matches(namespace)
                ):
                    continue
                which = whiches[link]
                if which is not EVERYTHING and not (
                    which == name if isinstance(which, str) else which.matches(name)
                ):
                    continue
                if action & CONDITIONAL and not self._condition_holds(link, attributes):
                    continue
                if every is not None:
                    every.append((link, holder))
                elif action & DENY:
                    return link, holder
                elif allowed is None:
                    allowed = link, holder
                    live = deny
                    if not live:
                        return allowed
        return allowed

    def _condition_holds(self, row: int, attributes: Attributes) -> bool:
        rules = self._rows.rules
        return holds(rules.when[row][1], attributes, deny=bool(rules.deny[row]))

    def _decision(self, row: int, holder: str, roles: _Roles) -> Decision:
        way: list[object] = [row, holder]
        step = roles.get(holder)
        while step is not None:
            way += step
            step = roles.get(step[0])
        key = tuple(way)
        decision = self._decisions.get(key)
        if decision is None:
            if len(self._decisions) >= _CACHED:
                self._decisions.clear()
            decision = self._decisions[key] = decision_by(self._match(row, holder, roles))
        return decision

    def _match(self, row: int, holder: str, roles: _Roles) -> Match:
        grants = []
        step = roles.get(holder)
        while step is not None:
            holder, grant = step
            grants.append(self._rows.grants[grant])
            step = roles.get(holder)
        return Match(self._rows.rules[row], holder, tuple(reversed(grants)))
