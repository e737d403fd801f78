"""Settings of enrichment: apart, so that reading a configuration loads no authenticator."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class UnknownUsers(Enum):
    """What to do with users whom the directory does not know, or who are disabled there."""

    REFUSE = "Refuse"
    KEEP = "Keep"


@dataclass(frozen=True, slots=True)
class EnrichmentSettings:
    """``authenticator`` names the directory; ``strip_prefix`` is what its names lack."""

    authenticator: str
    strip_prefix: str = ""
    unknown_users: UnknownUsers = UnknownUsers.REFUSE
