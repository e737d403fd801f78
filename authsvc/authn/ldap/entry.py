"""An entry of the directory, and the text forms of its values."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from authsvc.authn.ldap.errors import EntryError, Fault
from authsvc.authn.ldap.settings import DN


class Entry:
    """A name and attributes, whose names are compared without case (RFC 4512, section 2.5)."""

    __slots__ = ("attributes", "dn")

    def __init__(self, dn: str, attributes: Mapping[str, Iterable[bytes] | None]) -> None:
        self.dn = dn
        self.attributes = {name.lower(): tuple(values or ()) for name, values in attributes.items()}

    def texts(self, attribute: str) -> tuple[str, ...]:
        """Return all values of an attribute as text, none where the entry does not have it.

        Raises:
            EntryError: a value is neither text nor of a binary form that is known.
        """
        if attribute.lower() == DN:
            return (self.dn,)
        decode = _BINARY.get(attribute.lower(), bytes.decode)
        try:
            return tuple(decode(value) for value in self.attributes.get(attribute.lower(), ()))
        except ValueError:
            raise EntryError(
                f"attribute {attribute} of {self.dn} is not text", Fault.VALUE
            ) from None

    def text(self, attribute: str) -> str:
        """Return the one value of an attribute.

        Raises:
            EntryError: it has none, an empty one, or several.
        """
        values = self.texts(attribute)
        if len(values) != 1:
            number = len(values) or "no"
            raise EntryError(
                f"{self.dn} has {number} values of attribute {attribute}, expected one", Fault.VALUE
            )
        if not values[0].strip():
            raise EntryError(f"attribute {attribute} of {self.dn} is empty", Fault.VALUE)
        return values[0]

    def first(self, attribute: str) -> str | None:
        """Return a value of an attribute, None where the entry has none."""
        values = self.texts(attribute)
        return values[0] if values else None


def _guid(value: bytes) -> str:
    """Return a GUID as Microsoft's own tools write it: the first three fields little-endian."""
    return str(uuid.UUID(bytes_le=value))


def _sid(value: bytes) -> str:
    """Return a security identifier as S-1-5-21-… ([MS-DTYP] section 2.4.2)."""
    if len(value) < 8 or len(value) != 8 + 4 * value[1]:
        raise ValueError("not a SID")
    authority = int.from_bytes(value[2:8], "big")
    parts = (int.from_bytes(value[at : at + 4], "little") for at in range(8, len(value), 4))
    return "-".join(["S", str(value[0]), str(authority), *map(str, parts)])


_BINARY = {"objectguid": _guid, "objectsid": _sid}
