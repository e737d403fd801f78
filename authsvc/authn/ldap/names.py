"""Putting foreign text into filters and distinguished names, and taking names out of them.

Every value that is not the administrator's own passes through here exactly
once on its way into a query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@")
_PLACEHOLDER = "{username}"


def escape_filter_value(value: str) -> str:
    """Return the text as an assertion value of a filter (RFC 4515, section 3).

    All but the plainest octets are escaped: ldap3 would strip a space at
    either end, and what is not there cannot be forgotten.
    """
    return "".join(chr(octet) if octet in _PLAIN else f"\\{octet:02x}" for octet in value.encode())


def escape_dn_value(value: str) -> str:
    """Return the text as an attribute value of a distinguished name (RFC 4514, section 2.4)."""
    return "".join(chr(octet) if octet in _PLAIN else f"\\{octet:02x}" for octet in value.encode())


def fill_filter(template: str, username: str) -> str:
    """Put an escaped user name in the place of each ``{username}`` of a filter."""
    return template.replace(_PLACEHOLDER, escape_filter_value(username))


def fill_dn(template: str, username: str) -> str:
    """Put an escaped user name in the place of each ``{username}`` of a DN."""
    return template.replace(_PLACEHOLDER, escape_dn_value(username))


def known_user_filter(template: str, attribute: str, username: str) -> str:
    """Return the filter that finds a known user by the attribute that named them.

    What people log in with may be another attribute (their mail address), so
    ``{username}`` there matches any value; all else that the filter asks of an
    entry still holds.
    """
    restriction = template.replace(_PLACEHOLDER, "*")
    return f"(&({attribute}={escape_filter_value(username)}){restriction})"


def first_rdn(dn: str) -> tuple[str, str] | None:
    """Return attribute and value of a DN's first part; None if it has several (``cn=a+uid=b``).

    ::

        >>> first_rdn("CN=O\\\\, P,dc=example")
        ('CN', 'O, P')
    """
    rdn = next(_parts(dn, ","), "")
    attributes = list(_parts(rdn, "+"))
    if len(attributes) != 1:
        return None
    attribute, equals, value = rdn.partition("=")
    if not equals or value.startswith("#"):
        return None
    try:
        return attribute.strip(), _unescape(value)
    except UnicodeDecodeError:
        return None


def normalise_dn(dn: str) -> str:
    """Return a form in which two spellings of a DN are equal (RFC 4514).

    That is case, space between parts, escapes, the order of the parts of one
    RDN, and OIDs for names of section 3. Good for telling groups apart that one
    server answered with; not a full comparison by the schema's matching rules,
    and a value in hexadecimal BER (``#0402…``) equals itself alone.
    """
    return ",".join(_rdns(dn))


def is_below(dn: str, base: str) -> bool:
    """Whether a DN is the base or below it."""
    inner, outer = _rdns(dn), _rdns(base)
    return len(inner) >= len(outer) and inner[len(inner) - len(outer) :] == outer


def _rdns(dn: str) -> list[str]:
    return ["+".join(sorted(map(_normalised, _parts(rdn, "+")))) for rdn in _parts(dn, ",")]


def _normalised(part: str) -> str:
    attribute, equals, value = part.partition("=")
    attribute = attribute.strip().casefold()
    return f"{_NAMES.get(attribute, attribute)}{equals}{_normalised_value(value)}"


def _normalised_value(value: str) -> str:
    if "\\" not in value:
        return value.strip(" ").casefold()
    try:
        text = _unescape(value)
    except UnicodeDecodeError:
        return value.casefold()
    # What separates is escaped again, so that no two DNs become one.
    return _SEPARATING.sub(r"\\\g<0>", text).casefold()


_SEPARATING = re.compile(r"^#|[\\,+]")

_NAMES = {
    "2.5.4.3": "cn",
    "2.5.4.6": "c",
    "2.5.4.7": "l",
    "2.5.4.8": "st",
    "2.5.4.9": "street",
    "2.5.4.10": "o",
    "2.5.4.11": "ou",
    "0.9.2342.19200300.100.1.1": "uid",
    "0.9.2342.19200300.100.1.25": "dc",
}


def _parts(text: str, separator: str) -> Iterator[str]:
    """Split at the separators that are not escaped."""
    start = position = 0
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == separator:
            yield text[start:position]
            start = position + 1
        position += 1
    yield text[start:]


_ESCAPED = re.compile(rb"\\([0-9A-Fa-f]{2}|.)| +\Z", re.DOTALL)


def _unescape(value: str) -> str:
    """Return what a value says, without the space round it that is not escaped."""

    def plain(match: re.Match[bytes]) -> bytes:
        octets = match[1] or b""
        return bytes.fromhex(octets.decode()) if len(octets) == 2 else octets

    return _ESCAPED.sub(plain, value.lstrip(" ").encode()).decode()
