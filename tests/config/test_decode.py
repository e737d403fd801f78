"""Strict decoding: every error at once, each with its place; YAML without surprises."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.config.decode import (
    Duration,
    Place,
    Wire,
    decode,
    read_yaml,
    readable,
    seconds,
)
from authsvc.errors import InvalidConfigurationError


class Leaf(Wire, frozen=True):
    file_name: str
    size: Annotated[int, msgspec.Meta(ge=0)] = 1
    wait: Duration = "1s"


class Root(Wire, frozen=True):
    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    names: tuple[str, ...] = ()
    by_name: dict[str, Leaf] = msgspec.field(default_factory=dict)
    mode: Literal["Enforce", "Shadow"] = "Enforce"
    flag: bool = False


def decoded(document: object) -> tuple[Root | None, list[str]]:
    at = Place(Path("/folder"))
    return decode(Root, document, at), [str(error) for error in at.errors]


@pytest.mark.parametrize("value", ["soon", "120", 120, None, ["1s"], ""])
def test_a_duration_that_is_none_is_told_how_one_looks(value: object) -> None:
    _, errors = decoded({"leaf": {"fileName": "a", "wait": value}})

    assert errors == ["leaf.wait: expected a duration such as 30s, 1m30s or 500ms"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a:\n  b: 1\n\tc: 2\n", ":3: a tab: YAML is indented with spaces"),
        ("a:\n  b: 1\n   c: 2\n", ":3: no ':' is expected here: look at the indentation"),
        ("a:\n  b 1\n  c: 2\n", ":3: no ':' is expected here"),
    ],
)
def test_the_usual_slips_of_yaml_are_told_in_plain_words(
    tmp_path: Path, text: str, error: str
) -> None:
    file = tmp_path / "authsvc.yaml"
    file.write_text(text)

    with pytest.raises(InvalidConfigurationError) as raised:
        read_yaml(file)

    assert str(raised.value).startswith(f"{file}{error}")


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
            "flag": "yes",
            "extra": 1,
        }
    )
    assert sorted(errors) == [
        "byName.two.fileName: required",
        "byName.two.size: expected a whole number, got a string",
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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["leaf", "leaves", "names", "byName", "mode", "flag", "fileName", "size"])


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


class TestYAML:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "authsvc.yaml"

    def errors_of(self, file: Path) -> list[str]:
        with pytest.raises(InvalidConfigurationError) as caught:
            read_yaml(file)
        return [str(error).removeprefix(str(file)) for error in caught.value.errors]

    def test_a_byte_order_mark_is_no_part_of_it(self, file: Path) -> None:
        file.write_bytes(b"\xef\xbb\xbfkey: value\n")
        assert read_yaml(file) == {"key": "value"}

    def test_on_off_yes_and_no_are_words(self, file: Path) -> None:
        file.write_text("{a: off, b: on, c: yes, d: no, e: true, f: False, 'g': y}")
        expected = {"a": "off", "b": "on", "c": "yes", "d": "no", "e": True, "f": False, "g": "y"}
        assert read_yaml(file) == expected

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("a: 1\nb: 2\na: 3\n", ":3: key 'a' is given twice"),
            ("a:\n  b: 1\n  b: 2\n", ":3: key 'b' is given twice"),
            ("a: {b: 1, b: 2}", ":1: key 'b' is given twice"),
            ("1: a", ":1: a key that is not a string"),
            ("[a]: b", ":1: a key that is not a string"),
            ("x: &x {a: 1}\ny:\n  <<: *x\n", ":3: merge keys (<<) are not part of YAML 1.2"),
            ("a: [1\n", ":2: expected ',' or ']', but got '<stream end>'"),
            ("a: b\n\tc: d\n", ":2: a tab: YAML is indented with spaces"),
            ("a: 1\n---\nb: 2\n", ":2: but found another document"),
            ("a: *b", ":1: found undefined alias 'b'"),
            ("a: !!python/object/apply:os.system ['true']", ":1: could not determine"),
        ],
    )
    def test_what_is_no_clear_yaml_is_named_with_its_line(
        self, file: Path, text: str, error: str
    ) -> None:
        file.write_text(text)
        (found,) = self.errors_of(file)
        assert found.startswith(error)

    @pytest.mark.parametrize(
        ("content", "error"),
        [
            (b"a: \xff", ": not UTF-8 at byte 3"),
            (b"a: \x00", ": not YAML"),
            (b"[" * 100_000, ": nested too deeply"),
        ],
    )
    def test_what_is_no_text_of_use_is_named(self, file: Path, content: bytes, error: str) -> None:
        file.write_bytes(content)
        assert self.errors_of(file)[0].startswith(error)

    def test_a_file_that_is_not_there_is_named(self, file: Path) -> None:
        assert self.errors_of(file) == [": no such file or directory"]

    def test_aliases_are_fine_in_moderation(self, file: Path) -> None:
        file.write_text("a: &x [1, 2]\nb: *x\n")
        assert read_yaml(file) == {"a": [1, 2], "b": [1, 2]}

    def test_aliases_of_aliases_of_aliases_are_not(self, file: Path) -> None:
        lines = ["a0: &a0 [x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
        file.write_text("\n".join(lines))
        assert "over 100 aliases" in self.errors_of(file)[0]

    def test_a_list_that_holds_itself_is_only_a_list(self, file: Path) -> None:
        file.write_text("names: &a [*a]\nleaf: &b {leaf: *b}\nleaves: *a\n")
        _, errors = decoded(read_yaml(file))
        assert errors
