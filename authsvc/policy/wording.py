"""Atoms in words again: those that differ in one cell become one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from authsvc.policy import spaces
from authsvc.policy.atoms import Atom, When
from authsvc.policy.cells import SOME, Resource
from authsvc.policy.conditions import Condition
from authsvc.policy.escapes import escape
from authsvc.policy.holdings import ALWAYS, Span
from authsvc.policy.resources import VERBS


class Line(NamedTuple):
    """What several atoms say together, in the language of cells; ``span`` and ``when`` in words."""

    deny: bool
    may: str
    what: str
    which: str
    where: str
    when: str
    span: str

    @property
    def scope(self) -> str:
        """Where, which, when and how long, in words; empty where there is no bound."""
        parts = []
        if self.which != "*":
            parts.append(f"named {self.which}")
        if self.where != "*" and not self.what.startswith("/"):
            parts.append(f"in {self.where}")
        if self.when:
            parts.append(f"when {self.when}")
        if self.span:
            parts.append(self.span)
        return " ".join(parts)


def merge(atoms: Iterable[Atom]) -> list[Line]:
    """Return the fewest lines that reading left to right gives: verbs, then things, then places."""
    lines = [
        Line(
            atom.deny,
            "*" if atom.verb is None else escape(atom.verb),
            show_target(atom.target),
            spaces.show(atom.which),
            spaces.show(atom.where),
            show_when(atom.when),
            show_span(atom.span),
        )
        for atom in atoms
    ]
    for field in ("may", "what", "which", "where"):
        lines = _merge(lines, field)
    return lines


def _merge(lines: Sequence[Line], field: str) -> list[Line]:
    groups: dict[tuple[Line, bool], list[str]] = {}
    for line in lines:
        # Paths and resources are never in one cell.
        key = (_with(line, field, ""), line.what.startswith("/"))
        groups.setdefault(key, []).append(getattr(line, field))
    return [
        _with(line, field, "|".join(_ordered(dict.fromkeys(values))))
        for (line, _), values in groups.items()
    ]


def _with(line: Line, field: str, text: str) -> Line:
    changes: dict[str, Any] = {field: text}
    return line._replace(**changes)


def _ordered(values: Iterable[str]) -> list[str]:
    every = list(values)
    if "*" in every:
        return ["*"]
    return sorted(every, key=lambda value: (VERBS.index(value) if value in VERBS else 9, value))


def show_target(target: Resource | spaces.Space) -> str:
    """Return a resource in kubectl's notation, or a path."""
    if not isinstance(target, Resource):
        return spaces.show(target)
    if isinstance(target.resource, str):
        group = target.group
        suffix = (f".{escape(group)}" if group else "") if isinstance(group, str) else ".*"
        main = escape(target.resource) + suffix
    elif isinstance(target.group, str):
        main = f"*.{escape(target.group) or 'core'}"
    else:
        main = "*"
    if isinstance(target.subresource, str):
        return f"{main}/{escape(target.subresource)}" if target.subresource else main
    return f"{main}/*" if target.subresource == SOME else main


def show_when(when: When) -> str:
    """Return conditions as a cell, in a fixed order."""
    return "|".join(sorted(";".join(sorted(map(_show_condition, each))) for each in when))


def _show_condition(condition: Condition) -> str:
    source, key, values, negated = condition
    if values is None:
        return f"{source}:{'!' if negated else ''}{key}"
    if len(values) == 1:
        return f"{source}:{key}{'!=' if negated else '='}{next(iter(values))}"
    return f"{source}:{key} {'notin' if negated else 'in'} ({','.join(sorted(values))})"


def show_span(span: Span) -> str:
    """Return a time in words; empty for always."""
    if span == ALWAYS:
        return ""
    parts = []
    if span.begin is not None:
        parts.append(f"from {show_time(span.begin)}")
    if span.end is not None:
        parts.append(f"until {show_time(span.end)}")
    return " ".join(parts)


def show_time(seconds: float) -> str:
    """Return a time as rows have it (RFC 3339, UTC)."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
