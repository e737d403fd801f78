"""`authsvc policy replay`: a log of the service's own decision log, decided again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from authsvc.api import authorization
from authsvc.interfaces import Decision
from authsvc.policy import load
from authsvc.webhook.decisionlog import DecisionLog
from tests.cli.policy.conftest import Authsvc

NIGHT = 1_795_467_600.0
"""2026-11-23T21:00:00Z"""


def review(user: str, groups: list[str], verb: str, resource: str, namespace: str) -> bytes:
    spec = {
        "user": user,
        "groups": groups,
        "resourceAttributes": {"verb": verb, "resource": resource, "namespace": namespace},
    }
    return json.dumps(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": spec,
        }
    ).encode()


@pytest.fixture
def log(policy: Path, tmp_path: Path) -> Path:
    """What the service writes for four reviews (one of them twice) and a token."""
    evaluator = load(policy).evaluator
    file = tmp_path / "decisions.log"
    written = DecisionLog(file)
    for body in (
        review("alice", ["team-a"], "get", "pods", "team-a"),
        review("alice", ["team-a"], "get", "pods", "team-a"),
        review("alice", ["team-a"], "get", "pods", "team-b"),
        review("ivy", ["interns"], "get", "secrets", "prod"),
        review("bob", [], "get", "pods", "prod"),
    ):
        asked = authorization.parse(body)
        decision: Decision = evaluator.decide(asked.attributes, NIGHT)
        written.subject_access_review(asked, decision, 0.00001)
    written.token_review("no", None, 0.001, cached=False)
    written.start()
    written.close()
    # The log's own times are those of this test; what was asked was asked at night.
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text(
        "".join(json.dumps({**line, "time": "2026-11-23T21:00:00.000Z"}) + "\n" for line in lines)
    )
    return file


def test_the_same_policy_decides_the_same_at_the_time_it_was_asked(
    authsvc: Authsvc, policy: Path, log: Path
) -> None:
    answer = authsvc("replay", log, "--policy", policy)

    assert answer == (0, "5 decisions: 0 changed, 5 as before\n", "")


def test_changed_decisions_are_told_once_each_by_what_became_of_them(
    authsvc: Authsvc, policy: Path, log: Path
) -> None:
    teams = policy / "teams.csv"
    text = teams.read_text().replace("role:edit, team-a", "role:edit, team-b")
    teams.write_text(text.replace("p, group:interns", "p, group:guests"))

    answer = authsvc("replay", log, "--policy", policy)

    assert answer.code == 1
    assert (
        answer.out
        == """\
1 would have been allowed
     1 × get pods -n team-b   user:alice, group:team-a
         allowed by policy/roles.csv:2 via group:team-a → role:edit in team-b →
         role:view (line 3)

2 would not have been allowed
     2 × get pods -n team-a   user:alice, group:team-a
         was allowed by policy/roles.csv:2 via group:team-a → role:edit in
         team-a → role:view (line 1)

1 would not have been denied
     1 × get secrets -n prod   user:ivy, group:interns
         was denied by policy/teams.csv:4 via group:interns (line 4)

5 decisions: 4 changed, 1 as before
"""
    )


def test_json_has_each_changed_decision_once(authsvc: Authsvc, policy: Path, log: Path) -> None:
    (policy / "teams.csv").write_text("# authsvc: empty\n")

    answer = authsvc("replay", "-", "--policy", policy, "-o", "json", stdin=log.read_text())

    told = json.loads(answer.out)
    assert [(one["before"], one["after"], one["count"]) for one in told] == [
        ("allow", "no opinion", 2),
        ("deny", "no opinion", 1),
        ("allow", "no opinion", 1),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense", "line 2: JSON is malformed"),
        ('{"kind": "SubjectAccessReview", "effect": "allow"}', "line 2: has no spec"),
        ('{"kind": "SubjectAccessReview", "effect": "x", "spec": {}}', "line 2: has no effect"),
        (
            '{"kind": "SubjectAccessReview", "effect": "allow", "spec": {}}',
            "line 2: spec: expected",
        ),
        (
            '{"kind": "SubjectAccessReview", "effect": "allow", "time": "x", "spec": {}}',
            "line 2: has no time",
        ),
    ],
)
def test_a_line_that_is_none_of_a_log_is_exit_status_2(
    authsvc: Authsvc, policy: Path, line: str, said: str
) -> None:
    answer = authsvc("replay", "-", "--policy", policy, stdin=f"\n{line}\n")

    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"error: {said}")


@pytest.mark.parametrize(
    "text", ["", "\n", '{"a": 1}\n', '{"event": "started", "level": "info"}\n']
)
def test_a_log_without_any_decision_is_exit_status_2_as_nothing_was_compared(
    authsvc: Authsvc, policy: Path, text: str
) -> None:
    answer = authsvc("replay", "-", "--policy", policy, stdin=text)

    assert answer == (2, "", "error: <stdin>: no decision in it\n")
