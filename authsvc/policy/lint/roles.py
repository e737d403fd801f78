"""Roles that nobody has."""

from __future__ import annotations

from collections.abc import Iterator

from authsvc.policy.lint.finding import Finding, Inspected, Kind, note


def unbound_roles(inspected: Inspected) -> Iterator[Finding]:
    """Find roles that no subject comes to: in a library of roles that is no fault."""
    holdings = inspected.holdings
    reached = {role for holder in _granted_subjects(inspected) for role in holdings.reach(holder)}
    for role in holdings.roles:
        if role not in reached:
            row = (
                inspected.rows.rules[holdings.rules[role][0]]
                if role in holdings.rules
                else inspected.rows.grants[holdings.grants[role][0]]
            )
            yield note(row, Kind.UNBOUND_ROLE, f"nobody has {role}")


def _granted_subjects(inspected: Inspected) -> Iterator[str]:
    """Yield one subject for each set of grants: many thousands may have the same role."""
    seen: set[frozenset[str]] = set()
    for holder, grants in inspected.holdings.grants.items():
        if holder.startswith("role:"):
            continue
        given = frozenset(inspected.rows.grants.role[grant] for grant in grants)
        if given not in seen:
            seen.add(given)
            yield holder
