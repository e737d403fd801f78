"""YAML text to a document: the parts of YAML 1.2 that say what they seem to say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from authsvc.errors import ConfigError, InvalidConfigurationError


def read_yaml(path: Path) -> object:
    """Read the one YAML document of a file.

    Raises:
        InvalidConfigurationError: unreadable, not YAML, a key given twice; with file:line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _unusable(str(path), (error.strerror or "cannot be read").lower()) from None
    except UnicodeDecodeError as error:
        raise _unusable(str(path), f"not UTF-8 at byte {error.start}") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, file: str) -> object:
    """Parse one YAML document; ``file`` is what errors call it.

    Raises:
        InvalidConfigurationError: not YAML, a key given twice; with file:line.
    """
    with placed_faults(file):
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader, stricter still


@contextmanager
def placed_faults(file: str) -> Iterator[None]:
    """Turn what PyYAML raises into an error with its ``file:line``.

    Raises:
        InvalidConfigurationError: in place of PyYAML's own errors.
    """
    try:
        yield
    except RecursionError:
        raise _unusable(file, "nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{file}:{mark.line + 1}" if mark else file
        problem = error.problem or "not YAML"
        raise _unusable(place, _PROBLEMS.get(problem, problem)) from None
    except yaml.YAMLError as error:
        raise _unusable(file, f"not YAML: {error}") from None


# What PyYAML says to the slips that are made most.
_PROBLEMS = {
    "found character '\\t' that cannot start any token": "a tab: YAML is indented with spaces",
    "but found another document": "a second document begins here: a file holds one",
    "mapping values are not allowed here": (
        "no ':' is expected here: look at the indentation, and for a ':' missing in the line before"
    ),
}


def _unusable(place: str, message: str) -> InvalidConfigurationError:
    return InvalidConfigurationError([ConfigError(place, message)])


# A few lines of aliases of aliases stand for more items than there is time to look at.
_MAX_ALIASES = 100


_NOT_IN_YAML_1_2 = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, without keys that silently replace each other.

    ``on``, ``off``, ``yes`` and ``no`` are strings, as in YAML 1.2: they are
    words of a configuration, and may be names of people. So is a time.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012  PyYAML's own attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_IN_YAML_1_2]
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

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, AttributeError):  # of `!!int x`, `!!timestamp x`, 5,000 digits
            raise yaml.MarkedYAMLError(
                problem=f"not a value of type {node.tag.rpartition(':')[2]}",
                problem_mark=node.start_mark,
            ) from None

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
