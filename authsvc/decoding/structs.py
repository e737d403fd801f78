"""A document to structs: every error at once, each with its place.

msgspec stops at the first error; an administrator wants all of them. So the
structure (mappings, lists, alternatives) is walked here and only the leaves are
left to msgspec. What a field means is not known here.
"""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from authsvc.decoding.faults import fault_of, in_plain_words
from authsvc.errors import ConfigError

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")

Duration = typing.Annotated[
    str, msgspec.Meta(pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$", examples=["30s", "1m30s"])
]
"""A time in Go's notation, as all of Kubernetes writes it: ``30s``, ``1m30s``, ``500ms``."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of what people write: camelCase fields, nothing unknown."""


class Place:
    """A place in a document, and the collector of what is wrong there.

    ``at.field("ldap").field("url").error("…")`` records
    ``authentication.authenticators[1].ldap.url: …``.
    """

    def __init__(self, folder: Path, path: str = "", errors: list[ConfigError] | None = None):
        self.path = path
        self.errors: list[ConfigError] = [] if errors is None else errors
        self._folder = folder

    def field(self, name: str) -> Place:
        """Return the place of a field of this mapping."""
        return Place(self._folder, f"{self.path}.{name}" if self.path else name, self.errors)

    def item(self, index: int) -> Place:
        """Return the place of an item of this list."""
        return Place(self._folder, f"{self.path}[{index}]", self.errors)

    def error(self, message: str) -> None:
        """Record that something is wrong here."""
        self.errors.append(ConfigError(self.path, message))

    def has_errors(self) -> bool:
        """Whether something is known to be wrong here or below."""
        return any(
            error.path == self.path or error.path.startswith((f"{self.path}.", f"{self.path}["))
            for error in self.errors
        )

    def file(self, name: str) -> Path:
        """Return the file that a field names, relative to the folder of the document."""
        return self._folder / name

    def existing_file(self, name: str) -> Path:
        """Return the file that a field names; record an error where there is none to read."""
        path = self.file(name)
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            self.error(f"{path}: {(error.strerror or 'cannot be read').lower()}")
        except ValueError:  # a NUL in it
            self.error(f"{name!r} is no file name")
        return path


def seconds(duration: str) -> float:
    """Return a Duration in seconds."""
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", duration)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def decode(kind: type[S], document: object, at: Place) -> S | None:
    """Make ``kind`` out of a document, recording what is wrong at ``at``.

    What could not be read is left at its default, so that the rest can be
    looked at as well; None where not even that is possible. A value is only to
    be used where no error was recorded.
    """
    value = _decode(kind, document, at)
    return None if value is None else typing.cast("S", value)


def readable(items: Sequence[T]) -> Iterator[tuple[int, T]]:
    """Return the items of a decoded list with their index, without those that had errors."""
    for index, item in enumerate(typing.cast("Sequence[T | None]", items)):
        if item is not None:
            yield index, item


def _decode(kind: Any, value: object, at: Place) -> Any:
    kind = _alternative(kind, value)
    origin = typing.get_origin(kind)
    if _is_struct(kind):
        return _decode_struct(kind, value, at)
    if origin in _LISTS and isinstance(value, list):
        (item, *_) = typing.get_args(kind)
        items = [_decode(item, each, at.item(index)) for index, each in enumerate(value)]
        # What could not be read keeps its place among structs, for `readable`.
        return origin(each for each in items if each is not None or _has_structs(item))
    if origin in _MAPPINGS and isinstance(value, Mapping):
        _, item = typing.get_args(kind)
        return {key: _decode(item, each, at.field(key)) for key, each in value.items()}
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        at.error(_friendly(fault_of(error).message, kind, value))
        return None


_LISTS = (list, tuple)
_MAPPINGS = (dict, Mapping)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _has_structs(kind: Any) -> bool:
    return any(_is_struct(each) for each in _alternatives(kind))


def _alternatives(kind: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(kind) in {typing.Union, types.UnionType}
    return typing.get_args(kind) if is_union else (kind,)


def _alternative(kind: Any, value: object) -> Any:
    """Return what is meant of ``X | None`` or ``str | X``, by the form of the value."""
    if value is None:
        return kind
    others = [each for each in _alternatives(kind) if each is not type(None)]
    if len(others) == 1:
        return others[0]
    for each in others:
        origin = typing.get_origin(each)
        if isinstance(value, Mapping) and (_is_struct(each) or origin in _MAPPINGS):
            return each
        if isinstance(value, list) and origin in _LISTS:
            return each
    return kind


def _decode_struct(kind: type[msgspec.Struct], value: object, at: Place) -> Any:
    if value is None:
        value = {}  # `ldap:` with nothing below it
    if not isinstance(value, Mapping):
        at.error(f"expected a mapping, got {_name_of(value)}")
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for name in value:
        if name not in fields:
            close = difflib.get_close_matches(str(name), fields, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            at.field(str(name)).error(f"unknown field{hint}")
    arguments: dict[str, Any] = {}
    complete = True
    for name, field in fields.items():
        if name in value:
            before = len(at.errors)
            decoded = _decode(field.type, value[name], at.field(name))
            if decoded is not None or len(at.errors) == before:
                arguments[field.name] = decoded
            else:
                complete = complete and not field.required
        elif field.required:
            at.field(name).error("required")
            complete = False
    return kind(**arguments) if complete else None


def _name_of(value: object) -> str:
    names = {str: "a string", list: "a list", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "nothing" if value is None else type(value).__name__)


def _friendly(message: str, kind: Any, value: object) -> str:
    """Say msgspec's message in the words of YAML."""
    if message.startswith("Invalid enum value"):
        is_enum = isinstance(kind, type) and issubclass(kind, Enum)
        choices = (each.value for each in kind) if is_enum else typing.get_args(kind)
        allowed = [str(each) for each in choices]
        close = difflib.get_close_matches(str(value), allowed, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"expected one of {', '.join(allowed)}, got {value!r}{hint}"
    if kind == Duration:
        return "expected a duration such as 30s, 1m30s or 500ms"
    return in_plain_words(message)
