"""What the index remembers of requests: not without bounds, and of nobody else."""

from __future__ import annotations

import pytest

from authsvc.interfaces import Effect
from authsvc.policy import actions, index, read_text
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
