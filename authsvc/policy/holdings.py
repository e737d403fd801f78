"""Who comes to which rules, for tools: rows by their holder, and the ways from a subject to roles.

The index answers one request; this answers for all of them at once, and takes
its time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from authsvc.policy import cells, spaces
from authsvc.policy.rows import Period, Rows
from authsvc.policy.spaces import EVERYWHERE, Space


class Span(NamedTuple):
    """A time: seconds since the epoch; None is open."""

    begin: float | None = None
    end: float | None = None

    def meet(self, period: Period | None) -> Span | None:
        """Return the time in which both hold; None where there is none."""
        if period is None:
            return self
        begin = max((time for time in (self.begin, period.begin) if time is not None), default=None)
        end = min((time for time in (self.end, period.end) if time is not None), default=None)
        if begin is not None and end is not None and begin >= end:
            return None
        return Span(begin, end)

    def within(self, other: Span) -> bool:
        """Whether the other begins no later and ends no earlier."""
        return (other.begin is None or (self.begin is not None and other.begin <= self.begin)) and (
            other.end is None or (self.end is not None and self.end <= other.end)
        )

    def has_begun(self, now: float) -> bool:
        """Whether it has begun, and perhaps ended."""
        return self.begin is None or self.begin <= now

    def over(self, now: float) -> bool:
        """Whether it has ended."""
        return self.end is not None and self.end <= now


ALWAYS = Span()


class Way(NamedTuple):
    """How a subject holds itself, or by ``grants`` (rows) a role, somewhere, for a time."""

    holder: str
    where: Space
    span: Span
    grants: tuple[int, ...]


class Holdings:
    """The rows of each subject and role, in canonical form."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.rules: dict[str, list[int]] = {}
        self.grants: dict[str, list[int]] = {}
        for table, column in ((self.rules, rows.rules.who), (self.grants, rows.grants.who)):
            for row, cell in enumerate(column):
                for holder in dict.fromkeys(cells.parse_who(cell)):
                    table.setdefault(holder, []).append(row)

    @property
    def holders(self) -> list[str]:
        """Everyone whom a row names, in the order of the rows: rules first."""
        return list(dict.fromkeys((*self.rules, *self.grants)))

    @property
    def subjects(self) -> list[str]:
        """The holders that are no roles."""
        return [holder for holder in self.holders if not holder.startswith("role:")]

    @property
    def roles(self) -> list[str]:
        """The holders that are roles."""
        return [holder for holder in self.holders if holder.startswith("role:")]

    def given(self, grant: int) -> tuple[str, ...]:
        """Return the roles that a grant gives."""
        return cells.parse_role(self.rows.grants.role[grant])

    def reach(self, holder: str) -> set[str]:
        """Return the holder and all roles that it has somewhere, sometime."""
        reached = {holder}
        todo = [holder]
        while todo:
            for grant in self.grants.get(todo.pop(), ()):
                fresh = set(self.given(grant)) - reached
                reached |= fresh
                todo += fresh
        return reached

    def ways(self, holder: str, now: float | None = None) -> list[Way]:
        """Return the ways to the holder itself and its roles, shortest first.

        A way that says no more than an earlier one is left out; with ``now``,
        so is one whose time is over.
        """
        found = [Way(holder, EVERYWHERE, ALWAYS, ())]
        known: dict[str, list[Way]] = {holder: [found[0]]}
        for way in found:
            for one in self._steps(way, now):
                others = known.setdefault(one.holder, [])
                if not any(
                    one.span.within(other.span) and spaces.within(one.where, (other.where,))
                    for other in others
                ):
                    others.append(one)
                    found.append(one)
        return found

    def _steps(self, way: Way, now: float | None) -> Iterator[Way]:
        grants = self.rows.grants
        for grant in self.grants.get(way.holder, ()):
            span = way.span.meet(grants.period.get(grant))
            if span is None or (now is not None and span.over(now)):
                continue
            for option in spaces.spaces_of(grants.where[grant]):
                where = spaces.meet(way.where, option)
                if where is None:
                    continue
                for role in self.given(grant):
                    yield Way(role, where, span, (*way.grants, grant))
