"""What a check is given, and what it finds."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import NamedTuple

from authsvc.policy.holdings import Holdings
from authsvc.policy.resources import Catalogue
from authsvc.policy.rows import Grant, Rows, Rule


class Severity(Enum):
    """``WARNING``: probably a slip. ``NOTE``: as it should be, perhaps; worth knowing."""

    WARNING = "warning"
    NOTE = "note"


class Kind(StrEnum):
    """What sort of thing is found: the name by which it can be ignored."""

    DUPLICATE = "duplicate"
    SHADOWED = "shadowed"
    UNREACHABLE = "unreachable"
    REDUNDANT_GRANT = "redundant-grant"
    BYPASSABLE = "bypassable"
    EXPIRED = "expired"
    UNKNOWN_RESOURCE = "unknown-resource"
    UNFIT_VERB = "unfit-verb"
    NEVER_MATCHES = "never-matches"
    UNBOUND_ROLE = "unbound-role"
    ESCALATION = "escalation"


class Finding(NamedTuple):
    """One thing about one row; ``help`` may be empty."""

    file: str
    line: int
    severity: Severity
    kind: Kind
    message: str
    help: str = ""


class Inspected(NamedTuple):
    """A policy, what there is to be asked about, and the present in seconds since the epoch."""

    rows: Rows
    holdings: Holdings
    catalogue: Catalogue
    now: float


def warning(row: Rule | Grant, kind: Kind, message: str, help: str = "") -> Finding:  # noqa: A002  its name
    """Make a warning about a row."""
    return Finding(row.file, row.line, Severity.WARNING, kind, message, help)


def note(row: Rule | Grant, kind: Kind, message: str, help: str = "") -> Finding:  # noqa: A002  its name
    """Make a note about a row."""
    return Finding(row.file, row.line, Severity.NOTE, kind, message, help)
