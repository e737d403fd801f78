"""What the index remembers of requests: not without bounds, and of nobody else."""

from __future__ import annotations

from itertools import product

import pytest

from authsvc.interfaces import Effect
from authsvc.policy import actions, compiler, index, read_text
from authsvc.policy.actions import ActionTable
from authsvc.policy.index import PolicyIndex
from tests.contract.asking import NOW, ask, p

ROWS = read_text({"a.csv": p("user:*", "*", "*") + p("user:*", "*", "*", effect="deny")})


def test_no_more_requests_are_remembered_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actions, "_CACHED", 8)
    table = ActionTable(ROWS.rules)

    for number in range(100):
        assert len(table.matching(ask(f"verb{number}")).every) == 2
        assert 0 < len(table._cache) <= 8


def test_no_more_actions_are_remembered_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actions, "_CACHED_ACTIONS", 10)
    table = ActionTable(ROWS.rules)

    for number in range(100):
        table.matching(ask(f"verb{number}"))
        held = sum(len(asked.every) + len(asked.deny) for asked in table._cache.values())
        assert 0 < held == table._cached <= 10


def test_a_request_of_long_words_is_answered_and_not_remembered() -> None:
    table = ActionTable(ROWS.rules)

    assert table.matching(ask("x" * 257)) == table.matching(ask("get"))
    assert [verb for verb, *_ in table._cache] == ["get"]


def test_no_more_decisions_are_remembered_than_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index, "_CACHED", 8)
    text = "".join(p(f"user:{number}", "*", "pods") for number in range(100))
    evaluator = PolicyIndex(read_text({"a.csv": text}))

    for number in range(100):
        decision = evaluator.decide(ask(user=str(number)), NOW)
        assert (decision.effect, decision.rules) == (Effect.ALLOW, (f"a.csv:{number + 1}",))
        assert 0 < len(evaluator._decisions) <= 8


def test_a_decision_says_by_whose_grant_it_came_about_however_often_another_was_asked() -> None:
    text = p("role:r", "*", "pods") + "g, user:a, role:r, *\ng, user:b, role:r, *\n"
    evaluator = PolicyIndex(read_text({"a.csv": text}))

    first, second, again = (evaluator.decide(ask(user=user), NOW) for user in ("a", "b", "a"))

    assert first.rules == again.rules == ("a.csv:1", "a.csv:2")
    assert second.rules == ("a.csv:1", "a.csv:3")


def test_an_explanation_tells_the_shortest_of_the_ways_to_a_rule() -> None:
    text = p("role:r|role:s", "*", "pods") + "g, user:a, role:r, *\ng, role:r, role:s, *\n"

    (match,) = PolicyIndex(read_text({"a.csv": text})).explain(ask(user="a"), NOW)

    assert [grant.place for grant in match.grants] == ["a.csv:2"]


WHERES = ("a", "b", "a*", "*b", "a*b", "?*", "*", "[ab]", "a|c")
WHICHES = ("*", "x", "x*", "*y", "?", "x|z")


def strongest(effects: set[Effect]) -> Effect:
    return next(
        effect for effect in (Effect.DENY, Effect.ALLOW, Effect.NO_OPINION) if effect in effects
    )


@pytest.mark.parametrize("verbs", [1, 100], ids=["one action", "very many actions"])
def test_a_holder_of_many_rows_is_answered_as_by_each_of_them(
    monkeypatch: pytest.MonkeyPatch, verbs: int
) -> None:
    monkeypatch.setattr(compiler, "MANY_ACTIONS", 16)
    may = ["|".join(f"v{number}" for number in range(one, verbs)) for one in range(verbs)]
    rows = [
        p("user:u", where, "pods", which, may=may[number % verbs], effect=effect)
        for number, (where, which) in enumerate(product(WHERES, WHICHES))
        for effect in (("allow", "deny") if number % 7 == 0 else ("allow",))
    ]
    evaluator = PolicyIndex(read_text({"a.csv": "".join(rows)}))
    alone = [PolicyIndex(read_text({"a.csv": row})) for row in rows]

    for namespace, name in product(
        ("", "a", "b", "ab", "acb", "c", "d"), ("", "x", "xy", "z", "q")
    ):
        request = ask(f"v{verbs - 1}", ns=namespace, name=name, user="u")
        expected = strongest({each.decide(request, NOW).effect for each in alone})
        assert evaluator.decide(request, NOW).effect is expected, (namespace, name)


def test_a_holder_of_many_grants_has_each_where_it_was_given() -> None:
    places = [f"ns-{number}" for number in range(20)] + ["x*", "*y"]
    text = "".join(
        f"g, user:u, role:r{number}, {place}\n" + p(f"role:r{number}", "*", "pods")
        for number, place in enumerate(places)
    )
    evaluator = PolicyIndex(read_text({"a.csv": text}))

    for namespace in ("ns-0", "ns-19", "xz", "zy", "xy"):
        assert evaluator.decide(ask(ns=namespace, user="u"), NOW).effect is Effect.ALLOW
    for namespace in ("", "ns-20", "zz"):
        assert evaluator.decide(ask(ns=namespace, user="u"), NOW).effect is Effect.NO_OPINION
