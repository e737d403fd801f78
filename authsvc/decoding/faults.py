"""What msgspec says is wrong, taken apart: its place, and the message.

It says both as one text: ``Expected `str`, got `int` - at `$.spec.token` ``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

_SAID = re.compile(
    r"(?P<message>.*?)(?: - at (?:`key` in )?`\$\.?(?P<path>[^`]*)`)?",
    re.DOTALL,  # the name of a field may hold a line end
)


class Fault(NamedTuple):
    """``path`` is as in ``spec.rules[0].verbs``; empty for the document itself."""

    path: str
    message: str


def fault_of(error: msgspec.ValidationError) -> Fault:
    """Take an error of msgspec apart."""
    said = _SAID.fullmatch(str(error))
    return Fault(said["path"] or "", said["message"]) if said else Fault("", str(error))
