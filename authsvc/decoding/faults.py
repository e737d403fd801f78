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


def in_plain_words(message: str) -> str:
    """Say a message in the words of YAML: of ``str | object``, a string or a mapping."""
    message = _TYPES.sub(lambda found: _named(found[1]), message)
    return message[:1].lower() + message[1:]


_TYPES = re.compile(r"`([^`]*)`")

_WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}


def _named(types: str) -> str:
    return " or ".join(_WORDS.get(each, f"`{each}`") for each in types.split(" | "))
