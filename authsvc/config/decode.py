"""Strict decoding of configuration documents: every error at once, each with its place.

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
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from authsvc.errors import ConfigError, InvalidConfigurationError

S = TypeVar("S", bound=msgspec.Struct)

Duration = typing.Annotated[
    str, msgspec.Meta(pattern=r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$", examples=["30s", "1m30s"])
]
"""A time in Go's notation, as all of Kubernetes writes it: ``30s``, ``1m30s``, ``500ms``."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Base of all configuration structs: camelCase fields, nothing unknown."""


class Place:
    """A place in a configuration file, and the collector of what is wrong there.

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
        """Return the file that a field names, relative to the configuration file."""
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


def read_yaml(path: Path) -> object:
    """Read one YAML document.

    Raises:
        InvalidConfigurationError: unreadable, not YAML, a key given twice; with file:line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _unusable(str(path), (error.strerror or "cannot be read").lower()) from None
    except UnicodeDecodeError as error:
        raise _unusable(str(path), f"not UTF-8 at byte {error.start}") from None
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader, stricter still
    except RecursionError:
        raise _unusable(str(path), "nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = error.problem or "not YAML"
        raise _unusable(place, _PROBLEMS.get(problem, problem)) from None
    except yaml.YAMLError as error:
        raise _unusable(str(path), f"not YAML: {error}") from None


# What PyYAML says to the two slips that are made most.
_PROBLEMS = {
    "found character '\\t' that cannot start any token": "a tab: YAML is indented with spaces",
    "mapping values are not allowed here": (
        "no ':' is expected here: look at the indentation, and for a ':' missing in the line before"
    ),
}


def _unusable(place: str, message: str) -> InvalidConfigurationError:
    return InvalidConfigurationError([ConfigError(place, message)])


# A few lines of aliases of aliases stand for more items than there is time to look at.
_MAX_ALIASES = 100


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, without keys that silently replace each other.

    ``on``, ``off``, ``yes`` and ``no`` are strings, as in YAML 1.2: `off` is a
    word of this configuration.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML's own attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self._aliases += 1
            if self._aliases > _MAX_ALIASES:
                raise yaml.MarkedYAMLError(problem=f"over {_MAX_ALIASES} aliases")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise yaml.MarkedYAMLError(
                    problem="merge keys (<<) are not part of YAML 1.2",
                    problem_mark=key_node.start_mark,
                )
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.MarkedYAMLError(
                    problem="a key that is not a string", problem_mark=key_node.start_mark
                )
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key!r} is given twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def decode(kind: type[S], document: object, at: Place) -> S | None:
    """Make ``kind`` out of a document, recording what is wrong at ``at``.

    What could not be read is left at its default, so that the rest can be
    looked at as well; None where not even that is possible. A value is only to
    be used where no error was recorded.
    """
    value = _decode(kind, document, at)
    return None if value is None else typing.cast("S", value)


def readable(items: Sequence[S]) -> Iterator[tuple[int, S]]:
    """Return the items of a decoded list with their index, without those that had errors."""
    for index, item in enumerate(typing.cast("Sequence[S | None]", items)):
        if item is not None:
            yield index, item


def _decode(kind: Any, value: object, at: Place) -> Any:
    kind, constraint = _plain(kind, value)
    origin = typing.get_origin(kind)
    if _is_struct(kind):
        return _decode_struct(kind, value, at)
    if origin in {list, tuple} and isinstance(value, list):
        (item, *_) = typing.get_args(kind)
        items = [_decode(item, each, at.item(index)) for index, each in enumerate(value)]
        # What could not be read keeps its place among structs, for `readable`.
        return origin(each for each in items if each is not None or _is_struct(item))
    if origin is dict and isinstance(value, Mapping):
        _, item = typing.get_args(kind)
        return {key: _decode(item, each, at.field(key)) for key, each in value.items()}
    try:
        return msgspec.convert(value, constraint, strict=True)
    except msgspec.ValidationError as error:
        at.error(_friendly(str(error), kind, value))
        return None


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _plain(kind: Any, value: object) -> tuple[Any, Any]:
    """Look through ``X | None``; the second is the type with its constraints kept."""
    constraint = kind
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        others = [each for each in typing.get_args(kind) if each is not type(None)]
        if value is not None and len(others) == 1:
            kind = constraint = others[0]
    return kind, constraint


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
        allowed = [str(each) for each in typing.get_args(kind)]
        close = difflib.get_close_matches(str(value), allowed, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"expected one of {', '.join(allowed)}, got {value!r}{hint}"
    if kind == Duration:
        return "expected a duration such as 30s, 1m30s or 500ms"
    message = message.split(" - at `$", maxsplit=1)[0]
    for ours, theirs in (
        ("a string", "`str`"),
        ("a whole number", "`int`"),
        ("a number", "`float`"),
        ("true or false", "`bool`"),
        ("a list", "`array`"),
        ("a mapping", "`object`"),
        ("nothing", "`null`"),
    ):
        message = message.replace(theirs, ours)
    return message[0].lower() + message[1:]
