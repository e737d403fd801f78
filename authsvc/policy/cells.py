"""The cells of a row: who, where, what, which, may, effect, and times.

Each ``parse_…`` reads one cell as it is written and raises CellError where it
is wrong; ``globs`` holds the characters, ``conditions`` the cell ``when``. What
is said here is the language; policy/README.md is its manual.
"""

from __future__ import annotations

import re
from datetime import datetime
from difflib import get_close_matches
from typing import Final, NamedTuple, TypeAlias

from authsvc.policy import escapes, globs
from authsvc.policy.escapes import CellError

EVERY_USER: Final = "*"
"""The subject of ``user:*``. Every other subject holds a colon, so none is equal to it."""

SERVICE_ACCOUNT_USER: Final = "user:system:serviceaccount:"

PLAIN_SUBJECT: Final = re.compile(r"(?:user|group|role):[^|*?\[\\\s](?:[^|*?\[\\]*[^|*?\[\\\s])?")
"""Cells of one subject that are their own canonical form, as most are."""

Wild: TypeAlias = int
ANY: Final = 0
"""Any value of a part of ``what``, the empty one too."""
SOME: Final = 1
"""Any value but the empty one."""

PREFIXES: Final = ("user", "group", "serviceaccount", "role")
"""What a subject begins with, before its colon."""

_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)")


class Resource(NamedTuple):
    """One alternative of ``what``: each part is a name, or ANY, or SOME.

    ``group`` "" is the core group; ``subresource`` "" is the resource itself.
    """

    resource: str | Wild
    group: str | Wild
    subresource: str | Wild


class Paths(NamedTuple):
    """A ``what`` that holds URL paths."""

    pattern: globs.Pattern


What: TypeAlias = tuple[Resource, ...] | Paths


def parse_who(cell: str) -> tuple[str, ...]:
    """Read subjects: ``user:a``, ``group:b|group:c``, ``serviceaccount:ns:name``, ``role:r``.

    Returns them in canonical form: unescaped, a service account as the user it
    is short for, ``user:*`` as EVERY_USER.
    """
    return tuple(_subject(option) for option in escapes.alternatives(cell))


def parse_role(cell: str) -> tuple[str, ...]:
    """Read the roles that a ``g`` row gives."""
    try:
        roles = parse_who(cell)
    except CellError:
        if ":" in cell or "|" in cell:
            raise
        raise CellError(
            f"must be a role (role:NAME), not {cell[:80]!r}; did you mean role:{cell[:80]}?"
        ) from None
    for role in roles:
        if not role.startswith("role:"):
            raise CellError(f"must be a role (role:NAME), not {role}")
    return roles


def _subject(option: str) -> str:
    if option == "user:*":
        return EVERY_USER
    prefix, colon, name = option.partition(":")
    if not colon or prefix not in PREFIXES:
        raise CellError(_unknown_subject(option))
    if not name:
        raise CellError(f"names nobody: {option!r}")
    if name == "*":
        raise CellError(f"cannot be {option!r}; 'user:*' is every user")
    text = escapes.unescape(name)
    if prefix != "serviceaccount":
        return f"{prefix}:{text}"
    namespace, colon, account = text.partition(":")
    if not namespace or not account or ":" in account:
        raise CellError(f"must be serviceaccount:NAMESPACE:NAME, not {option!r}")
    return SERVICE_ACCOUNT_USER + text


def _unknown_subject(option: str) -> str:
    if option == "*":
        return "cannot be '*'; 'user:*' is every user"
    prefix = option.partition(":")[0]
    near = get_close_matches(prefix.lower(), PREFIXES, 1)
    hint = f"; did you mean {near[0]}:?" if near else ""
    return f"must begin with user:, group:, serviceaccount: or role:, not {option[:80]!r}{hint}"


def show_subject(subject: str) -> str:
    """Return a canonical subject as people write it (without escapes)."""
    if subject == EVERY_USER:
        return "user:*"
    if subject.startswith(SERVICE_ACCOUNT_USER) and subject.count(":") == 4:
        return "serviceaccount:" + subject.removeprefix(SERVICE_ACCOUNT_USER)
    return subject


def parse_what(cell: str) -> What:
    """Read resources in kubectl's notation, or paths where the cell begins with ``/``."""
    options = escapes.alternatives(cell)
    paths = [option.startswith("/") for option in options]
    if all(paths):
        return Paths(globs.parse(cell))
    if any(paths):
        raise CellError(f"mixes resources and paths: {cell}; write a row for each")
    return tuple(_resource(option) for option in options)


def _resource(option: str) -> Resource:
    if option == "*":
        return Resource(ANY, ANY, ANY)
    main, slash, sub = option.partition("/")
    resource, dot, group = main.partition(".")
    if not resource or (dot and not group) or (slash and not sub):
        raise CellError(f"is not resource[.group][/subresource]: {option!r}")
    return Resource(
        _part(resource, ANY), _group(group, resource), _subresource(slash, sub, resource)
    )


def _part(text: str, wild: Wild) -> str | Wild:
    return wild if text == "*" else escapes.unescape(text)


def _group(group: str, resource: str) -> str | Wild:
    if group:
        return "" if group == "core" else _part(group, ANY)
    return ANY if resource == "*" else ""


def _subresource(slash: str, sub: str, resource: str) -> str | Wild:
    if slash:
        return _part(sub, SOME)
    return ANY if resource == "*" else ""


def parse_may(cell: str) -> frozenset[str] | None:
    """Read verbs; None is every verb."""
    options = escapes.alternatives(cell)
    if "*" in options:
        return None
    return frozenset(escapes.unescape(option) for option in options)


def parse_effect(cell: str) -> bool:
    """Read the effect; True is deny."""
    if cell == "allow":
        return False
    if cell == "deny":
        return True
    near = get_close_matches(cell.lower(), ("allow", "deny"), 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise CellError(f"must be allow or deny, not {cell[:80]!r}{hint}")


def parse_time(cell: str) -> float | None:
    """Read an RFC 3339 time as seconds since the epoch; None where the cell is empty."""
    if not cell:
        return None
    if _RFC3339.fullmatch(cell):
        try:
            return datetime.fromisoformat(cell.upper()).timestamp()
        except (ValueError, OverflowError):
            pass
    raise CellError(f"is not a time like 2026-11-23T20:00:00Z: {cell[:80]!r}")


def parse_period(since: str, until: str) -> tuple[float | None, float | None]:
    """Read the times of a grant: it holds at ``since`` and no more at ``until``."""
    begin, end = parse_time(since), parse_time(until)
    if begin is not None and end is not None and begin >= end:
        raise CellError(f"ends before it begins: {since} to {until}")
    return begin, end
