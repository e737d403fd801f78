"""`diff`: nothing that changes a decision is left out, and nothing else is said."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authsvc.interfaces import Attributes, UserInfo
from authsvc.policy import compile_rows, read_text
from authsvc.policy.comparing import Changes, compare
from tests.policy.strategies import NOW, policies, requests

EVERYTHING = "p, role:r, *, pods, *, get, allow\n"


def diff(old: str, new: str) -> list[Changes]:
    return compare(read_text({"old.csv": old}), read_text({"new.csv": new}), NOW)


def said(changes: list[Changes]) -> set[tuple[str, bool, bool, str | None]]:
    """Who, gained, deny, verb."""
    return {
        (subject, change.gained, change.atom.deny, change.atom.verb)
        for group in changes
        for subject in group.subjects
        for change in group.changes
    }


@st.composite
def changed_policies(draw: st.DrawFn) -> tuple[str, str]:
    """A policy, and the same with rows taken away and rows of another put in."""
    old, other = draw(policies()).splitlines(), draw(policies()).splitlines()
    gone = draw(st.sets(st.integers(0, len(old) - 7), max_size=3))
    fresh = draw(st.integers(0, 2))
    new = [row for at, row in enumerate(old) if at not in gone] + other[:fresh]
    return "\n".join(old) + "\n", "\n".join(new) + "\n"


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(changed_policies(), st.lists(requests(), min_size=30, max_size=30))
def test_who_is_not_named_is_decided_as_before(
    texts: tuple[str, str], asked: list[Attributes]
) -> None:
    old, new = (read_text({"p.csv": text}) for text in texts)
    named = {subject for group in compare(old, new, NOW) for subject in group.subjects}
    before, after = compile_rows(old).evaluator, compile_rows(new).evaluator

    for request in asked:
        user = request.user
        subjects = {f"user:{user.username}", "*", *(f"group:{group}" for group in user.groups)}
        if named.isdisjoint(subjects):
            then, now = before.decide(request, NOW), after.decide(request, NOW)
            assert now.effect is then.effect, request


VERBS, SPACES, THINGS = ("get", "list"), ("a", "b"), ("pods", "secrets")


@st.composite
def literal_rules(draw: st.DrawFn) -> str:
    """A policy in which every cell is a list of names."""

    def cell(names: tuple[str, ...]) -> str:
        return "|".join(sorted(draw(st.sets(st.sampled_from(names), min_size=1))))

    rows = [
        f"p, {draw(st.sampled_from(('user:u', 'user:u', 'role:r')))}, {cell(SPACES)}, "
        f"{cell(THINGS)}, {cell(('x', 'y'))}, {cell(VERBS)}, "
        f"{draw(st.sampled_from(('allow', 'allow', 'deny')))}"
        for _ in range(draw(st.integers(1, 5)))
    ]
    grant = f"g, user:u, role:r, {cell(SPACES)}"
    return "\n".join([*rows, "p, role:r, none, none, none, none, allow", grant, ""])


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(literal_rules(), literal_rules())
def test_where_cells_are_literal_a_change_is_said_exactly_where_something_changes(
    old: str, new: str
) -> None:
    before, after = (compile_rows(read_text({"p.csv": text})).evaluator for text in (old, new))
    asked = [
        Attributes(UserInfo("u"), verb, True, place, "", "", thing, "", name)
        for verb in VERBS
        for place in SPACES
        for thing in THINGS
        for name in ("x", "y")
    ]

    changes = diff(old, new)

    effects = any(
        before.decide(one, NOW).effect is not after.decide(one, NOW).effect for one in asked
    )
    assert bool(changes) == effects


def test_rows_split_moved_and_given_through_a_role_change_nothing() -> None:
    old = "p, user:a, x|y, pods|secrets, *, get|list, allow\n"
    new = (
        "p, role:r, *, secrets, *, list|get, allow\np, role:r, y, pods, *, get|list, allow\n"
        "g, user:a, role:r, y|x\np, user:a, x, pods, *, get, allow\n"
        "p, user:a, x, pods, *, list, allow\n"
    )

    assert diff(old, new) == []


def test_what_everybody_has_is_no_gain_of_one_user() -> None:
    everybody = "p, user:*, *, pods, *, get, allow\n"

    assert diff(everybody, everybody + "p, user:a, ns, pods, *, get, allow\n") == []


def test_what_stays_denied_is_neither_gained_nor_lost() -> None:
    deny = "p, user:a, prod*, secrets, *, *, deny\n"
    allow = "p, user:a, prod-eu, secrets, *, get, allow\n"

    assert diff(deny, deny + allow) == []
    assert diff(deny + allow, deny) == []


def test_a_deny_that_is_gone_is_said_although_nobody_is_allowed_by_it() -> None:
    deny = "p, group:interns, *, secrets, *, *, deny\n"

    assert said(diff(EVERYTHING + deny, EVERYTHING)) == {("group:interns", False, True, None)}


def test_a_narrower_glob_says_what_is_kept() -> None:
    old = "p, user:a, prod*, pods, *, *, allow\n"
    new = "p, user:a, prod-*, pods, *, get, allow\n"

    (group,) = diff(old, new)

    (change,) = group.changes
    assert not change.gained
    assert [(kept.verb, set(kept.where)) for kept in change.overlap] == [("get", {"prod-*"})]


def test_what_is_over_by_now_is_no_loss_and_a_longer_time_is_a_gain() -> None:
    over = EVERYTHING + "g, user:a, role:r, *, , 2001-01-01T00:00:00Z\n"
    soon = EVERYTHING + "g, user:b, role:r, *, , 2126-01-01T00:00:00Z\n"
    later = EVERYTHING + "g, user:b, role:r, *, , 2127-01-01T00:00:00Z\n"

    assert diff(over, EVERYTHING) == []
    assert said(diff(soon, later)) == {("user:b", True, False, "get")}


def test_subjects_with_equal_changes_are_one_group() -> None:
    grants = "g, user:a, role:r, *\ng, user:b, role:r, *\ng, group:c, role:r, x\n"

    changes = diff(EVERYTHING, EVERYTHING + grants)

    assert [group.subjects for group in changes] == [("user:a", "user:b"), ("group:c",)]
