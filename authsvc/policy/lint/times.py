"""Grants that are over."""

from __future__ import annotations

from collections.abc import Iterator

from authsvc.policy.lint.finding import Finding, Inspected, Kind, warning


def expired_grants(inspected: Inspected) -> Iterator[Finding]:
    """Find grants whose time is over: they give nothing any more."""
    for row, period in sorted(inspected.rows.grants.period.items()):
        if period.end is not None and period.end <= inspected.now:
            grant = inspected.rows.grants[row]
            message = f"{grant.role} for {grant.who} ended at {period.until}"
            yield warning(grant, Kind.EXPIRED, message, "delete the row")
