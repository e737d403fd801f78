"""Casbin's enforcer and the index agree on random policies and requests."""

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authsvc.errors import InvalidPolicyError
from authsvc.interfaces import Attributes, Effect
from authsvc.policy import read_text
from tests.policy.judge import judge
from tests.policy.strategies import policies, requests

SEEN: Counter[Effect] = Counter()


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(policies(), st.lists(requests(), min_size=25, max_size=25), st.sampled_from((0, 1, 8)))
def test_the_judge_and_the_index_agree(text: str, asked: list[Attributes], few: int) -> None:
    SEEN.update(judge(text, asked, few))


def test_the_judge_saw_every_effect_often() -> None:
    if not SEEN:  # this test ran in another process than the one above
        test_the_judge_and_the_index_agree()

    assert SEEN.total() >= 6000
    assert all(SEEN[effect] > 100 for effect in Effect), SEEN


@settings(max_examples=200, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=10))
def test_roles_are_refused_exactly_where_they_inherit_in_a_circle(
    links: set[tuple[int, int]],
) -> None:
    text = "".join(f"p, role:{number}, *, pods, *, get, allow\n" for number in range(6))
    text += "".join(f"g, role:{heir}, role:{given_to}, *\n" for heir, given_to in sorted(links))
    reach = set(links)
    for middle in range(6):
        reach |= {(a, d) for a, b in reach for c, d in reach if b == c == middle}

    try:
        read_text({"policy.csv": text})
        refused = False
    except InvalidPolicyError as error:
        refused = "in a circle" in str(error)

    assert refused == any(heir == given_to for heir, given_to in reach)
