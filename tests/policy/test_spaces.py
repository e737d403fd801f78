"""Spaces: whether globs hold one another, judged by all short names there are."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authsvc.policy import globs, spaces
from authsvc.policy.spaces import EVERYWHERE, Space

NAMES = ["".join(letters) for size in range(6) for letters in product("abc", repeat=size)]

_PIECE = st.sampled_from(("a", "b", "*", "*", "?", "[ab]", "[!a]", "[b-c]"))
_TEXT = st.lists(_PIECE, min_size=1, max_size=4).map("".join)
SPACE = st.one_of(st.just(EVERYWHERE), st.sets(_TEXT, min_size=1, max_size=2).map(frozenset))


def names(space: Space) -> set[str]:
    return {name for name in NAMES if spaces.contains(space, name)}


@settings(max_examples=300, deadline=None)
@given(SPACE, st.lists(SPACE, max_size=2))
def test_what_lies_within_others_has_no_name_that_they_have_not(
    space: Space, others: list[Space]
) -> None:
    union = set().union(*map(names, others))

    # Five letters are enough to tell four pieces apart, were there no [!a]:
    # names of letters that are not enumerated can only make the answer no.
    if spaces.within(space, others):
        assert names(space) <= union
    elif names(space) <= union:
        outside = ["d", "ad", "da", "dd", "add", "dad", "dda", "ddd", "ddddd"]
        longer = [*outside, *(name + "abc" for name in NAMES)]
        longer += [a + name for a in "acd" for name in longer] + [
            name + a for a in "bd" for name in longer
        ]
        assert any(
            spaces.contains(space, name)
            and not any(spaces.contains(other, name) for other in others)
            for name in longer
        ), (space, others)


@settings(max_examples=200, deadline=None)
@given(SPACE, SPACE)
def test_what_two_spaces_share_is_what_both_hold(one: Space, other: Space) -> None:
    both = spaces.meet(one, other)

    assert (names(both) if both is not None else set()) == names(one) & names(other)


@settings(max_examples=200, deadline=None)
@given(SPACE)
def test_an_example_is_a_name_of_the_space_and_one_glob_has_one(space: Space) -> None:
    name = spaces.example(space)

    assert name is not None or len(space) > 1
    assert name is None or spaces.contains(space, name)


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        ("prod-eu", ["prod*"], True),
        ("prod-*", ["prod*"], True),
        ("prod*", ["prod-*"], False),
        ("[ab]*", ["a*", "b*"], True),
        ("[a-c]*", ["a*", "b*"], False),
        ("?*", ["*"], True),
        ("*", ["?*"], False),
        ("*a*b*", ["*a*", "*x*"], True),
        ("a\\*", ["a*"], True),
        ("a*", ["a\\*"], False),
        ("é*", ["?*"], True),
    ],
)
def test_globs_that_people_write(inner: str, outer: list[str], expected: bool) -> None:
    def one(cell: str) -> Space:
        (space,) = spaces.spaces_of(globs.parse(cell))
        return space

    assert spaces.within(one(inner), [one(cell) for cell in outer]) is expected


def test_a_question_that_would_take_too_long_is_answered_with_no() -> None:
    hard = frozenset({"*a" + "?" * 18 + "*b" + "?" * 18})

    assert not spaces.within(hard, [frozenset({"*c" + "?" * 18 + "*b" + "?" * 18})])
