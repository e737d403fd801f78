"""Settings of a table of static tokens: apart, so that reading a configuration loads no table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StaticTokensSettings:
    """``file`` is the table."""

    file: Path
