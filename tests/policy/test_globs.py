"""Patterns: the fast ones against the plain matching that Casbin's matcher uses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.policy import globs, matching
from authsvc.policy.escapes import CellError, escape
from authsvc.policy.patterns import PatternTable

PIECES = ("a", "b", "ab", "*", "?", "[ab]", "[!a]", "[^b]", "[a-c]", "[]]", "\\*", "\\[", "|", "-")
cells = st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join)
texts = st.text(alphabet="aabbc-*[]|\n", max_size=8)


def parsed(cell: str) -> globs.Pattern | None:
    try:
        return globs.parse(cell)
    except CellError:
        return None


@given(cells, texts)
def test_a_pattern_matches_what_matching_piece_by_piece_does(cell: str, text: str) -> None:
    pattern = parsed(cell)

    if pattern is not None:
        assert globs.matches(pattern, text) == matching.pattern_matches(text, cell)
        assert globs.written(pattern) == cell


@given(st.lists(cells, max_size=30), texts)
def test_a_table_finds_the_patterns_that_match(some: list[str], text: str) -> None:
    patterns = [pattern for cell in some if (pattern := parsed(cell)) is not None]
    table = PatternTable((pattern, number) for number, pattern in enumerate(patterns))

    expected = {number for number, pattern in enumerate(patterns) if globs.matches(pattern, text)}
    assert set(table.find(text)) == expected


@given(st.text(alphabet=st.characters(exclude_characters="\0"), min_size=1), st.text())
def test_an_escaped_name_is_that_name_and_no_other(name: str, other: str) -> None:
    pattern = globs.parse(escape(name))

    assert globs.matches(pattern, name)
    assert globs.matches(pattern, other) == (name == other)


@pytest.mark.parametrize("cell", ["*a" * 20 + "b", "*[ab]" * 20 + "c", "?*" * 30 + "b"])
def test_no_name_makes_a_match_slow(cell: str) -> None:
    # With backtracking either would take longer than the universe has.
    assert not globs.matches(globs.parse(cell), "a" * 5000)
    assert not matching.pattern_matches("a" * 5000, cell)
