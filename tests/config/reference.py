"""The configuration's reference (config/README.md) beside the schema that it describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import yaml

from authsvc.config.v1alpha1 import AuthsvcConfiguration

SCHEMA: Mapping[str, Any] = msgspec.json.schema(AuthsvcConfiguration)
_AUTHENTICATOR = "authentication.authenticators[]."


class Field(NamedTuple):
    """A field as the reference has it: three of its four cells."""

    name: str
    kind: str
    default: str


def sections() -> dict[tuple[str, ...], list[Field]]:
    """Return all fields by the places where their section stands in a configuration.

    A section of an authenticator's type is placed from there on
    (``oidc.issuer``); one that stands in several places is one section.
    """
    places: dict[str, list[str]] = {}
    for definition, place in _walk(_name(SCHEMA), ""):
        places.setdefault(definition, []).append(place.removeprefix(_AUTHENTICATOR))
    return {
        tuple(where): [
            Field(name, _kind(of), _default(of, name in definition.get("required", ())))
            for name, of in definition["properties"].items()
        ]
        for definition, where in ((SCHEMA["$defs"][name], where) for name, where in places.items())
        if definition["properties"]
    }


def heading(where: tuple[str, ...]) -> str:
    """Return what a section is called: ``{github,gitlab}.http`` where it stands in several."""
    if where == ("",):
        return "The file"
    parents, _, last = zip(*(place.partition(".") for place in where), strict=True)
    if len(where) > 1 and len(set(last)) == 1:
        return f"`{{{','.join(parents)}}}.{last[0]}`"
    return ", ".join(f"`{place}`" for place in where)


def _walk(definition: str, place: str) -> Iterator[tuple[str, str]]:
    yield definition, place
    for name, of in SCHEMA["$defs"][definition]["properties"].items():
        for inner, suffix in _inner(of):
            yield from _walk(inner, f"{place}.{name}{suffix}".lstrip("."))


def _inner(of: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the sections in a field's value, and how their place is written."""
    if "$ref" in of and "enum" not in SCHEMA["$defs"][_name(of)]:
        yield _name(of), ""
    for each in of.get("anyOf", ()):
        yield from _inner(each)
    if of.get("type") == "array":
        for name, suffix in _inner(of["items"]):
            yield name, f"[]{suffix}"


def _name(of: Mapping[str, Any]) -> str:
    name: str = of["$ref"].removeprefix("#/$defs/")
    return name


def _kind(of: Mapping[str, Any]) -> str:
    if "anyOf" in of:
        (only,) = (each for each in of["anyOf"] if each.get("type") != "null")
        return _kind(only)
    if "$ref" in of:
        definition = SCHEMA["$defs"][_name(of)]
        return _kind(definition) if "enum" in definition else "section"
    if "enum" in of:
        return ", ".join(f"`{each}`" for each in of["enum"] if each)
    if of["type"] == "array":
        return f"list of {_plural(_kind(of['items']))}"
    if of["type"] == "object":
        return f"mapping of {_plural(_kind(of['additionalProperties']))}"
    if of["type"] == "integer":
        return "number" + (f" ≥ {of['minimum']}" if "minimum" in of else "")
    if "ms|s|m|h" in of.get("pattern", ""):
        return "duration"
    kind: str = of["type"]
    return kind


def _plural(kind: str) -> str:
    return kind if kind.startswith("`") else f"{kind}s"


def _default(of: Mapping[str, Any], required: bool) -> str:
    if required:
        return "required"
    default = of.get("default")
    if (
        default is None
        or default in ("", {})
        or (isinstance(default, list | tuple) and not default)
    ):
        return ""
    if isinstance(default, dict):
        own = SCHEMA["$defs"][_name(of)]["properties"]
        changed = {key: value for key, value in default.items() if value != own[key].get("default")}
        return f"`{_flow(changed)}`" if changed else ""
    return f"`{_flow(default)}`"


def _flow(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("...\n").strip()
