"""Attributes that a server hands over in parts ([MS-ADTS] section 3.1.1.3.1.3.3).

Active Directory gives at most 1,500 values of an attribute at once, under the
name ``memberof;range=0-1499``; what follows is asked for as
``memberof;range=1500-*``, until a part ends with ``*``. Values without the rest
would be a user with fewer groups, so it is all or a failure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from authsvc.authn.ldap.errors import EntryError

Attributes = Mapping[str, tuple[bytes, ...]]
"""Values by the names of attributes in lower case."""

MAX_PARTS = 100

_RANGED = re.compile(r"(.+);range=(\d{1,9})-(\d{1,9}|\*)")


class _Part(NamedTuple):
    name: str
    first: int
    last: int | None
    values: tuple[bytes, ...]


def completed(attributes: Attributes, more: Callable[[str], Attributes]) -> Attributes:
    """Return the attributes with all values of each.

    ``more`` returns what the same entry has under a name with a range.

    Raises:
        EntryError: a part is missing, or there are more than `MAX_PARTS`.
    """
    parts = _parts(attributes)
    if not parts:
        return attributes
    # Beside a part, the attribute itself is there without a value.
    whole = {name: values for name, values in attributes.items() if ";range=" not in name}
    return whole | {part.name: _all_from(part, more) for part in parts}


def _all_from(part: _Part, more: Callable[[str], Attributes]) -> tuple[bytes, ...]:
    values: tuple[bytes, ...] = ()
    for _ in range(MAX_PARTS):
        if part.first != len(values):
            raise EntryError(f"{part.name} has values from {part.first} on, not {len(values)}")
        values += part.values
        if part.last is None:
            return values
        if part.last + 1 != len(values):
            raise EntryError(f"{part.name} lacks values up to {part.last}")
        following = _parts(more(f"{part.name};range={len(values)}-*"))
        parts = [each for each in following if each.values]
        if [each.name for each in parts] != [part.name]:
            raise EntryError(f"{part.name} lacks its values from {len(values)} on")
        part = parts[0]
    raise EntryError(f"{part.name} comes in more than {MAX_PARTS} parts")


def _parts(attributes: Attributes) -> list[_Part]:
    parts = []
    for name, values in attributes.items():
        if ";range=" not in name:
            continue
        match = _RANGED.fullmatch(name)
        if match is None:
            raise EntryError(f"{name!r} is no range of values")
        last = None if match[3] == "*" else int(match[3])
        parts.append(_Part(match[1], int(match[2]), last, values))
    return parts
