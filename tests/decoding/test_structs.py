"""Strict decoding: every error at once, each with its place."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.decoding.structs import (
    Duration,
    Place,
    Wire,
    decode,
    readable,
    seconds,
)
from authsvc.decoding.yaml_text import parse_yaml


class Leaf(Wire, frozen=True):
    file_name: str
    size: Annotated[int, msgspec.Meta(ge=0)] = 1
    wait: Duration = "1s"


class Colour(Enum):
    RED = "Red"
    GREEN = "Green"


class Root(Wire, frozen=True):
    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    names: tuple[str, ...] = ()
    by_name: dict[str, Leaf] = msgspec.field(default_factory=dict)
    mode: Literal["Enforce", "Shadow"] = "Enforce"
    colour: Colour = Colour.RED
    colours: tuple[Colour, ...] | None = None
    flag: bool = False
    either: str | Leaf = ""
    several: tuple[str | Leaf, ...] = ()
    words: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)


def decoded(document: object) -> tuple[Root | None, list[str]]:
    at = Place(Path("/folder"))
    return decode(Root, document, at), [str(error) for error in at.errors]


@pytest.mark.parametrize("value", ["soon", "120", 120, None, ["1s"], ""])
def test_a_duration_that_is_none_is_told_how_one_looks(value: object) -> None:
    _, errors = decoded({"leaf": {"fileName": "a", "wait": value}})

    assert errors == ["leaf.wait: expected a duration such as 30s, 1m30s or 500ms"]


def test_what_is_not_said_has_its_default() -> None:
    assert decoded({}) == (Root(), [])


def test_all_errors_are_found_at_once_each_with_its_place() -> None:
    _, errors = decoded(
        {
            "leaf": {"size": -1, "wait": "soon", "filename": "x"},
            "leaves": [{"fileName": "a"}, "b", {"fileName": 3}, {}],
            "names": ["a", 1, None],
            "byName": {"one": {"fileName": "a"}, "two": {"size": "x"}},
            "mode": "enforce",
            "colour": "green",
            "colours": ["Red", "Blue", 1],
            "flag": "yes",
            "extra": 1,
        }
    )
    assert sorted(errors) == [
        "byName.two.fileName: required",
        "byName.two.size: expected a whole number, got a string",
        "colour: expected one of Red, Green, got 'green'; did you mean Green?",
        "colours[1]: expected one of Red, Green, got 'Blue'",
        "colours[2]: expected a string, got a whole number",
        "extra: unknown field",
        "flag: expected true or false, got a string",
        "leaf.fileName: required",
        "leaf.filename: unknown field; did you mean fileName?",
        "leaf.size: expected a whole number >= 0",
        "leaf.wait: expected a duration such as 30s, 1m30s or 500ms",
        "leaves[1]: expected a mapping, got a string",
        "leaves[2].fileName: expected a string, got a whole number",
        "leaves[3].fileName: required",
        "mode: expected one of Enforce, Shadow, got 'enforce'; did you mean Enforce?",
        "names[1]: expected a string, got a whole number",
        "names[2]: expected a string, got nothing",
    ]


def test_what_could_be_read_is_there_to_be_looked_at() -> None:
    root, errors = decoded({"leaves": [{"fileName": "a"}, {}], "names": ["a", 1]})
    assert root is not None
    assert [(index, leaf.file_name) for index, leaf in readable(root.leaves)] == [(0, "a")]
    assert root.names == ("a",)
    assert len(errors) == 2


@pytest.mark.parametrize("document", [[], "x", 7])
def test_a_document_that_is_no_mapping_is_an_error_and_nothing_else(document: object) -> None:
    root, errors = decoded(document)
    assert root is None
    assert len(errors) == 1


def test_an_empty_section_is_one_with_its_defaults() -> None:
    _, errors = decoded({"leaf": {}, "leaves": None})
    assert errors == ["leaf.fileName: required", "leaves: expected a list, got nothing"]


def test_what_may_be_either_is_read_by_its_form() -> None:
    root, errors = decoded(
        {"either": {"fileName": "a"}, "several": ["b", {"fileName": "c"}], "words": {"d": ["e"]}}
    )

    assert errors == []
    assert root is not None
    assert root.either == Leaf(file_name="a")
    assert root.several == ("b", Leaf(file_name="c"))
    assert root.words == {"d": ("e",)}


def test_what_may_be_either_has_the_errors_of_the_one_that_it_looks_like() -> None:
    _, errors = decoded(
        {
            "either": 1,
            "several": [None, {"size": -1}, ["x"], {"filename": "a", "fileName": "b"}],
            "words": {"a": ["b", 1], "c": "d"},
        }
    )

    assert sorted(errors) == [
        "either: expected a string or a mapping, got a whole number",
        "several[0]: expected a string or a mapping, got nothing",
        "several[1].fileName: required",
        "several[1].size: expected a whole number >= 0",
        "several[2]: expected a string or a mapping, got a list",
        "several[3].filename: unknown field; did you mean fileName?",
        "words.a[1]: expected a string, got a whole number",
        "words.c: expected a list, got a string",
    ]


def test_an_item_that_could_not_be_read_keeps_its_place_beside_those_that_could() -> None:
    root, _ = decoded({"several": [1, "b"]})

    assert root is not None
    assert list(readable(root.several)) == [(1, "b")]


def test_a_list_that_holds_itself_is_only_a_list() -> None:
    text = "names: &a [*a]\nleaf: &b {leaf: *b}\nleaves: *a\n"
    _, errors = decoded(parse_yaml(text, "t.yaml"))
    assert errors


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    "leaf leaves names byName mode colour colours flag either several words fileName size".split()  # noqa: SIM905
)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, JSON) | st.lists(JSON) | JSON))
def test_no_document_crashes_and_none_is_half_taken_in_silence(document: object) -> None:
    root, errors = decoded(document)
    assert root is not None or errors


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", 30),
        ("1m30s", 90),
        ("500ms", 0.5),
        ("1h", 3600),
        ("1.5s", 1.5),
        ("0s", 0),
        ("1m1ms", 60.001),
    ],
)
def test_a_duration_is_gos(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "30", "s", "1d", "-1s", "1s ", "1 s", "∞s", "1,5s"])
def test_what_go_would_not_take_is_refused(text: str) -> None:
    assert decoded({"leaf": {"fileName": "x", "wait": text}})[1]


class TestPlaces:
    def test_a_path_is_written_as_an_administrator_would(self) -> None:
        place = Place(Path("/f")).field("authentication").field("authenticators").item(1)
        assert place.field("ldap").field("url").path == "authentication.authenticators[1].ldap.url"

    def test_a_place_has_the_errors_below_it_and_no_others(self) -> None:
        root = Place(Path("/f"))
        root.field("a").item(0).field("b").error("wrong")
        assert root.field("a").has_errors()
        assert root.field("a").item(0).has_errors()
        assert not root.field("a").item(1).has_errors()
        assert not root.field("ab").has_errors()

    def test_a_relative_file_is_relative_to_the_configuration(self) -> None:
        assert Place(Path("/f")).file("a/b") == Path("/f/a/b")
        assert Place(Path("/f")).file("/a/b") == Path("/a/b")

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("none", "no such file or directory"),
            (".", "is a directory"),
            ("a\x00b", "'a\\x00b' is no file name"),
        ],
    )
    def test_a_file_that_can_not_be_read_is_an_error(
        self, tmp_path: Path, name: str, message: str
    ) -> None:
        place = Place(tmp_path).field("file")
        place.existing_file(name)
        assert [message in str(error) for error in place.errors] == [True]
