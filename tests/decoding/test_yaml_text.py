"""YAML without surprises: what is no clear YAML is an error with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from authsvc.decoding.yaml_text import parse_yaml, read_yaml
from authsvc.errors import InvalidConfigurationError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "authsvc.yaml"


def errors_of(file: Path) -> list[str]:
    with pytest.raises(InvalidConfigurationError) as caught:
        read_yaml(file)
    return [str(error).removeprefix(str(file)) for error in caught.value.errors]


def test_a_byte_order_mark_is_no_part_of_it(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfkey: value\n")
    assert read_yaml(file) == {"key": "value"}


def test_on_off_yes_and_no_are_words(file: Path) -> None:
    file.write_text("{a: off, b: on, c: yes, d: no, e: true, f: False, 'g': y}")
    expected = {"a": "off", "b": "on", "c": "yes", "d": "no", "e": True, "f": False, "g": "y"}
    assert read_yaml(file) == expected


def test_a_time_is_text(file: Path) -> None:
    file.write_text("{day: 2026-11-23, moment: 2026-11-23T21:00:00Z, none: 2026-99-99}")
    expected = {"day": "2026-11-23", "moment": "2026-11-23T21:00:00Z", "none": "2026-99-99"}
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
        ("a: 1\n---\nb: 2\n", ":2: a second document begins here"),
        ("a: *b", ":1: found undefined alias 'b'"),
        ("a: !!python/object/apply:os.system ['true']", ":1: could not determine"),
        ("? {a: 1}\n: b", ":1: a key that is not a string"),
        ("a:\n- !!int x", ":2: not a value of type int"),
        ("a: !!timestamp x", ":1: not a value of type timestamp"),
        (f"a: {'1' * 5000}", ":1: not a value of type int"),
    ],
)
def test_what_is_no_clear_yaml_is_named_with_its_line(file: Path, text: str, error: str) -> None:
    file.write_text(text)
    (found,) = errors_of(file)
    assert found.startswith(error)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"a: \xff", ": not UTF-8 at byte 3"),
        (b"a: \x00", ": not YAML"),
        (b"[" * 100_000, ": nested too deeply"),
    ],
)
def test_what_is_no_text_of_use_is_named(file: Path, content: bytes, error: str) -> None:
    file.write_bytes(content)
    assert errors_of(file)[0].startswith(error)


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    assert errors_of(file) == [": no such file or directory"]


def test_aliases_are_fine_in_moderation(file: Path) -> None:
    file.write_text("a: &x [1, 2]\nb: *x\n")
    assert read_yaml(file) == {"a": [1, 2], "b": [1, 2]}


def test_aliases_of_aliases_of_aliases_are_not(file: Path) -> None:
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 20)]
    file.write_text("\n".join(lines))
    assert "over 100 aliases" in errors_of(file)[0]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a:\n  b: 1\n\tc: 2\n", ":3: a tab: YAML is indented with spaces"),
        ("a:\n  b: 1\n   c: 2\n", ":3: no ':' is expected here: look at the indentation"),
        ("a:\n  b 1\n  c: 2\n", ":3: no ':' is expected here"),
    ],
)
def test_the_usual_slips_of_yaml_are_told_in_plain_words(text: str, error: str) -> None:
    with pytest.raises(InvalidConfigurationError) as raised:
        parse_yaml(text, "t.yaml")

    assert str(raised.value).startswith(f"t.yaml{error}")
