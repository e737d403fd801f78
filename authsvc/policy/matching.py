"""One cell against one request, plainly: what Casbin's matcher calls, and what explains a miss.

Nothing here is fast, and nothing here is shared with the index but the reading
of a cell: that makes Casbin a judge of the index, and not its echo.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from authsvc.interfaces import Attributes, UserInfo
from authsvc.policy import cells, escapes
from authsvc.policy.conditions import holds, parse_when

_CACHED: Final = 1 << 14

_parse_what = lru_cache(_CACHED)(cells.parse_what)
_parse_may = lru_cache(_CACHED)(cells.parse_may)
_parse_when = lru_cache(_CACHED)(parse_when)


def subjects_of(user: UserInfo) -> list[str]:
    """Return the subjects that a request is made by, in canonical form: most particular first.

    Nobody (no name, no groups) is no subject, not even of ``user:*``.
    """
    groups = ["group:" + group for group in user.groups if group]
    return ["user:" + user.username, *groups, cells.EVERY_USER] if user.username else groups


def namespace_of(attributes: Attributes) -> str:
    """Return the namespace that is asked for: a path is in none."""
    return attributes.namespace if attributes.resource_request else ""


def name_of(attributes: Attributes) -> str:
    """Return the object's name that is asked for: a path has none."""
    return attributes.name if attributes.resource_request else ""


def pattern_matches(text: str, cell: str) -> bool:
    """Whether a namespace, name or path is what the cell says."""
    return any(_option_matches(pieces, text) for pieces in _options(cell))


def resource_matches(attributes: Attributes, what: str) -> bool:
    """Whether the resource or path is one of those of the cell ``what``."""
    target = _parse_what(what)
    if isinstance(target, cells.Paths):
        return not attributes.resource_request and pattern_matches(attributes.path, what)
    return attributes.resource_request and any(
        _part_matches(attributes.resource, resource.resource)
        and _part_matches(attributes.api_group, resource.group)
        and _part_matches(attributes.subresource, resource.subresource)
        for resource in target
    )


def verb_matches(verb: str, may: str) -> bool:
    """Whether the verb is one of those of the cell ``may``."""
    verbs = _parse_may(may)
    return verbs is None or verb in verbs


def conditions_match(attributes: Attributes, when: str, effect: str) -> bool:
    """Whether the request is as narrow as the cell ``when`` asks."""
    return not when or holds(_parse_when(when), attributes, deny=effect == "deny")


def _part_matches(text: str, part: str | cells.Wild) -> bool:
    return part == cells.ANY or (bool(text) if part == cells.SOME else text == part)


@lru_cache(_CACHED)
def _options(cell: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(escapes.pieces_of(option)) for option in escapes.alternatives(cell))


def _option_matches(pieces: tuple[str, ...], text: str) -> bool:
    """Match piece by piece; where it fails, let the last star take one character more.

    Earlier stars need no second try, so no name makes this slow.
    """
    at = piece = after = 0
    star = -1
    while at < len(text):
        if piece < len(pieces) and pieces[piece] == "\0*":
            star, after = piece, at
            piece += 1
        elif piece < len(pieces) and _piece_matches(pieces[piece], text[at]):
            at += 1
            piece += 1
        elif star >= 0:
            after += 1
            at, piece = after, star + 1
        else:
            return False
    return all(rest == "\0*" for rest in pieces[piece:])


def _piece_matches(piece: str, character: str) -> bool:
    if piece[0] != "\0":
        return piece == character
    return piece == "\0?" or _class(piece[1:]).fullmatch(character) is not None


@lru_cache(_CACHED)
def _class(text: str) -> re.Pattern[str]:
    return re.compile(escapes.class_expression(text), re.DOTALL)
