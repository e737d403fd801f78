"""The characters of a cell: alternatives, the backslash, and what is literal.

What a request holds never comes here: it is always literal.
"""

from __future__ import annotations

import re
from typing import Final

ESCAPABLE: Final = "|*?[]\\ "
"""What a backslash makes literal. ``]`` and the space are there for symmetry."""

GLOB_CHARACTERS: Final = re.compile(r"[*?\[]")


class CellError(ValueError):
    """What is wrong with one cell, without its place: the reader knows that."""


def alternatives(cell: str) -> list[str]:
    """Split a cell at each ``|`` that no backslash precedes; nothing is unescaped yet.

    Raises:
        CellError: an alternative is empty, or begins or ends with a space.
    """
    options = split(cell, "|")
    for option in options:
        if not option:
            raise CellError(
                "is empty" if len(options) == 1 else f"has an empty alternative: {cell}"
            )
        if option[0] == " " or _ends_with_bare_space(option):
            raise CellError(
                f"has a space before or after {option.strip()!r}; "
                "write it as '\\ ' where it is part of the name"
            )
    return options


def split(text: str, separator: str) -> list[str]:
    """Split a text at each separator that no backslash precedes; nothing is unescaped."""
    if "\\" not in text:
        return text.split(separator)
    parts = []
    start = at = 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == separator:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    parts.append(text[start:])
    return parts


def unescape(option: str) -> str:
    """Return the literal text of an alternative in which no glob is allowed.

    Raises:
        CellError: a glob character without a backslash, or a stray backslash.
    """
    if "\\" not in option:
        if found := GLOB_CHARACTERS.search(option):
            raise CellError(_no_glob(found.group(), option))
        return option
    pieces = pieces_of(option)
    for piece in pieces:
        if piece[0] == "\0":
            raise CellError(_no_glob(piece[1], option))
    return "".join(pieces)


def escape(text: str) -> str:
    """Write any text so that it is read as exactly itself."""
    escaped = re.sub(r"[|*?\[\\]", r"\\\g<0>", text)
    if escaped.startswith(" "):
        escaped = "\\" + escaped
    if escaped.endswith(" ") and escaped != "\\ ":
        escaped = escaped[:-1] + "\\ "
    return escaped


def _no_glob(character: str, option: str) -> str:
    return (
        f"has {character!r} in {option!r}, but no globs hold here; "
        f"write '\\{character}' where it is part of the name"
    )


def _ends_with_bare_space(option: str) -> bool:
    if not option.endswith(" "):
        return False
    before = option[:-1]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 0


def pieces_of(option: str) -> list[str]:
    """Split into literal characters and wildcards.

    A wildcard is a piece that begins with NUL, which no cell holds: ``\\0*``,
    ``\\0?`` or ``\\0[…]``.

    Raises:
        CellError: an unmatched bracket, a range that goes backwards, a stray backslash.
    """
    pieces: list[str] = []
    at = 0
    while at < len(option):
        character = option[at]
        if character == "\\":
            at += 1
            if at == len(option) or option[at] not in ESCAPABLE:
                raise CellError(f"has a stray backslash in {option!r}; write '\\\\' for one")
            pieces.append(option[at])
        elif character in "*?":
            pieces.append("\0" + character)
        elif character == "[":
            end = _class_end(option, at)
            pieces.append("\0" + option[at : end + 1])
            at = end
        else:
            pieces.append(character)
        at += 1
    return pieces


def _class_end(option: str, start: int) -> int:
    """Return where the class that begins at ``start`` ends."""
    at = start + 1
    if option[at : at + 1] in {"!", "^"}:
        at += 1
    first = at
    while at < len(option):
        if option[at] == "\\":
            at += 1
        elif option[at] == "]" and at > first:
            class_expression(option[start : at + 1])
            return at
        at += 1
    raise CellError(f"has an unmatched '[' in {option!r}")


def class_expression(text: str) -> str:
    """Return a bracket class (``[a-z]``, ``[!0-9]``) as a regular expression."""
    inside = text[1:-1]
    negated = inside[:1] in {"!", "^"}
    members = re.findall(r"\\?.", inside[1:] if negated else inside, re.DOTALL)
    expression = ""
    at = 0
    while at < len(members):
        low = members[at][-1]
        if at + 2 < len(members) and members[at + 1] == "-":
            high = members[at + 2][-1]
            if high < low:
                raise CellError(f"has a range that goes backwards: {low}-{high} in {text!r}")
            expression += f"{re.escape(low)}-{re.escape(high)}"
            at += 3
        else:
            expression += re.escape(low)
            at += 1
    return f"[{'^' if negated else ''}{expression}]"
