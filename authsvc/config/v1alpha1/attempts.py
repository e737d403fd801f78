"""How guessing is slowed, wherever it is configured."""

from __future__ import annotations

from typing import Annotated

import msgspec

from authsvc.attempts import Curve
from authsvc.decoding.structs import Duration, Place, Wire, seconds


class Attempts(Wire, frozen=True):
    """Failures that cost nothing, then waits that double."""

    free: Annotated[int, msgspec.Meta(ge=1)] = 3
    first_wait: Duration = "30s"
    longest_wait: Duration = "15m"
    forget_after: Duration = "1h"

    def to_settings(self, at: Place) -> Curve:
        """Convert to the internal model."""
        curve = Curve(
            self.free,
            seconds(self.first_wait),
            seconds(self.longest_wait),
            seconds(self.forget_after),
        )
        if not 0 < curve.first_wait <= curve.longest_wait:
            at.field("firstWait").error("must be over 0s and not over longestWait")
        if curve.forget_after < curve.longest_wait:
            at.field("forgetAfter").error("must not be under longestWait, which it would cut short")
        return curve
