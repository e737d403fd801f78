"""What is allowed in a policy and yet perhaps not meant.

Each module here looks for one sort of thing, by functions that are given what
is ``Inspected`` and yield findings. ``CHECKS`` lists them: a new one is a line there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from authsvc.policy.lint.api import misfits
from authsvc.policy.lint.bypassing import bypassed_denies
from authsvc.policy.lint.escalation import escalations
from authsvc.policy.lint.finding import Finding, Inspected, Severity
from authsvc.policy.lint.roles import unbound_roles
from authsvc.policy.lint.shadowing import redundant_grants, redundant_rules
from authsvc.policy.lint.times import expired_grants

CHECKS: Final[tuple[Callable[[Inspected], Iterator[Finding]], ...]] = (
    redundant_rules,
    redundant_grants,
    bypassed_denies,
    misfits,
    expired_grants,
    unbound_roles,
    escalations,
)


def lint(inspected: Inspected) -> list[Finding]:
    """Return all findings in the order of the files."""
    files = {file: number for number, file in enumerate(inspected.rows.files)}
    found = [finding for check in CHECKS for finding in check(inspected)]
    return sorted(found, key=lambda one: (files[one.file], one.line, one.kind))


__all__ = ["CHECKS", "Finding", "Inspected", "Severity", "lint"]
