"""``logging``: what is written where."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from authsvc.config.model import LoggingSettings
from authsvc.decoding.structs import Place, Wire


class Logging(Wire, frozen=True):
    """The service's own log goes to stderr; one line per decision goes to ``decisions``."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"
    decisions: str = "stdout"

    def to_settings(self, at: Place) -> LoggingSettings:
        """Convert to the internal model."""
        decisions = self.decisions
        target = decisions if decisions in {"stdout", "off"} else at.file(decisions)
        if isinstance(target, Path) and not target.parent.is_dir():
            at.field("decisions").error(f"{target.parent}: no such folder")
        return LoggingSettings(self.level, self.format, target)
