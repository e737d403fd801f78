"""What msgspec says is wrong, taken apart."""

from __future__ import annotations

import msgspec
import pytest

from authsvc.decoding.faults import fault_of, in_plain_words


class _Inner(msgspec.Struct):
    names: list[str] = []
    by_name: dict[str, int] = {}


class _Document(msgspec.Struct):
    inner: _Inner | None = None


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        (1, "", "Expected `object`, got `int`"),
        ({"inner": 1}, "inner", "Expected `object | null`, got `int`"),
        ({"inner": {"names": ["a", 1]}}, "inner.names[1]", "Expected `str`, got `int`"),
        ({"inner": {"by_name": {1: 2}}}, "inner.by_name", "Expected `str`, got `int`"),
    ],
)
def test_a_message_is_told_from_its_place(document: object, path: str, message: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(document, _Document)

    assert fault_of(raised.value) == (path, message)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Expected `str`, got `int`", "expected a string, got a whole number"),
        ("Expected `array | null`, got `bool`", "expected a list or nothing, got true or false"),
        ("Expected `datetime`", "expected `datetime`"),
        ("", ""),
    ],
)
def test_types_are_called_by_the_words_of_yaml(message: str, said: str) -> None:
    assert in_plain_words(message) == said
