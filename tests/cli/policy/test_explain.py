"""`authsvc policy explain`: the verdict, the ground, and what is nearest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.policy.conftest import Authsvc


def test_what_is_allowed_shows_the_path_and_the_row(authsvc: Authsvc, policy: Path) -> None:
    answer = authsvc(
        *("explain", "--policy", policy, "--as", "alice", "--as-group", "team-a"),
        *("get", "pods/log", "web", "-n", "team-a"),
    )

    assert answer.code == 0
    assert (
        answer.out
        == """\
get pods/log web -n team-a   user:alice, group:team-a
Allowed by policy/roles.csv:2 via group:team-a → role:edit in team-a → role:view

group:team-a
└─ ✓ role:edit in team-a
     policy/teams.csv:1
     ├─ 1 row is about something else (--all)
     └─ ✓ role:view
          policy/roles.csv:4
          └─ ✓ allow get|list|watch pods|pods/log|services|deployments.apps
               policy/roles.csv:2

user:*
└─ 1 row is about something else (--all)
"""
    )


def test_a_miss_says_which_cell_and_what_is_nearest(authsvc: Authsvc, policy: Path) -> None:
    answer = authsvc(
        *("explain", "--policy", policy, "--as", "alice", "--as-group", "team-a"),
        *("delete", "deployments.apps", "-n", "team-b"),
    )

    assert answer.code == 1
    assert "NO OPINION" in answer.out
    assert "└─ ✗ role:edit in team-a\n     the grant is for team-a, not team-b" in answer.out
    assert "role:edit would allow it, but the grant is for team-a, not team-b" in answer.out
    assert answer.out.endswith("Roles that would allow it here\n  role:edit\n")


@pytest.mark.parametrize(
    ("at", "code", "said"),
    [
        ("2026-11-23T19:59:59Z", 1, "it begins at 2026-11-23T20:00:00Z"),
        ("2026-11-23T20:00:00Z", 0, "Allowed by policy/roles.csv:2 via user:bob"),
        ("2026-11-24T02:00:00Z", 1, "it ended at 2026-11-24T02:00:00Z"),
    ],
)
def test_a_grant_is_judged_at_the_time_that_is_asked_for(
    authsvc: Authsvc, policy: Path, at: str, code: int, said: str
) -> None:
    asked = ["--policy", policy, "--as", "bob", "--at", at, "get", "pods", "-n", "prod"]

    answer = authsvc("explain", *asked)

    assert answer.code == code
    assert said in answer.out


@pytest.mark.parametrize(
    ("row", "question", "cell", "why"),
    [
        ("*, pods, a, get", "get pods b", "which", "'b' is not a"),
        ("*, pods, a, get|list", "list pods", "which", "a request without a name is not a"),
        ("*, pods, *, list", "get pods", "may", "get is not in list"),
        ("x, pods, *, get", "get pods", "where", "the rule is for x, not all namespaces or what"),
        ("*, pods, *, get", "get pods.apps", "what", "pods.apps is not in pods"),
        ("*, /a, *, get", "get /a/b", "what", "/a/b is not in /a"),
        ("*, /a, *, get", "get pods", "what", "pods is not in /a"),
    ],
)
def test_each_cell_says_why_it_does_not_hold_what_was_asked(
    authsvc: Authsvc, tmp_path: Path, row: str, question: str, cell: str, why: str
) -> None:
    file = tmp_path / "p.csv"
    file.write_text(f"p, user:a, {row}, allow\n")

    answer = authsvc("explain", "--policy", file, "--as", "a", "-o", "json", *question.split())

    (rule,) = json.loads(answer.out)["tree"][0]["rules"]
    assert list(rule["misses"]) == [cell]
    assert rule["misses"][cell].startswith(why)


def test_a_condition_on_selectors_is_explained(authsvc: Authsvc, tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text("p, user:a, *, pods, *, list, allow, field:spec.nodeName=n1\n")
    asked = ["explain", "--policy", file, "--as", "a", "list", "pods", "-A"]

    assert authsvc(*asked, "--field-selector", "spec.nodeName=n1,status.phase!=x").code == 0
    broad = authsvc(*asked)

    assert broad.code == 1
    assert "the request is not as narrow as field:spec.nodeName=n1" in broad.out


def test_extra_values_and_service_accounts_are_asked_as_the_api_server_would(
    authsvc: Authsvc, tmp_path: Path
) -> None:
    file = tmp_path / "p.csv"
    file.write_text("p, group:system:serviceaccounts:ns, *, pods, *, get, allow, extra:team=blue\n")
    asked = ["explain", "--policy", file, "--as", "serviceaccount:ns:n"]

    assert authsvc(*asked, "get", "pods").code == 1
    assert authsvc(*asked, "--as-user-extra", "team=blue", "get", "pods").code == 0


def test_roles_a_thousand_deep_are_no_trouble(authsvc: Authsvc, tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    links = "".join(f"g, role:r{n}, role:r{n + 1}, *\n" for n in range(1000))
    file.write_text(links + "p, role:r1000, *, pods, *, get, allow\ng, user:a, role:r0, *\n")

    assert authsvc("explain", "--policy", file, "--as", "a", "get", "pods").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["get", "pods"],
        ["--as", "a", "get"],
        ["--as", "a", "get", "pods/"],
        ["--as", "a", "get", "/x", "-n", "ns"],
        ["--as", "a", "get", "pods", "-n", "ns", "-A"],
        ["--as", "a", "get", "pods", "--at", "tomorrow"],
        ["--as", "a", "list", "pods", "-l", "a in ("],
        ["--as", "a", "--as-user-extra", "x", "list", "pods"],
    ],
)
def test_a_question_that_makes_no_sense_is_exit_status_2(
    authsvc: Authsvc, policy: Path, words: list[str]
) -> None:
    answer = authsvc("explain", "--policy", policy, *words)

    assert answer.code == 2
    assert answer.out == ""
    assert "Error: " in answer.err


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--as", "user:bob"], "did you mean --as bob?"),
        (["--as", "user:nobody"], "did you mean --as nobody?"),
        (["--as", "a", "--as-group", "group:nobody"], "did you mean --as-group nobody?"),
        (["--as", "serviceaccount:ci"], "--as must be serviceaccount:NAMESPACE:NAME, not"),
        (["--as", "serviceaccount:ci:"], "--as must be serviceaccount:NAMESPACE:NAME, not"),
        (["--as", "group:team-a"], "did you mean --as-group team-a?"),
        (["--as", "role:edit"], "did you mean what-can role:edit?"),
        (["--as", "a", "--as-group", "group:team-a"], "did you mean --as-group team-a?"),
    ],
)
def test_who_asks_is_a_name_and_no_subject(
    authsvc: Authsvc, policy: Path, words: list[str], meant: str
) -> None:
    answer = authsvc("explain", "--policy", policy, *words, "get", "pods")

    assert (answer.code, answer.out) == (2, "")
    assert meant in answer.err


def test_who_has_a_name_like_a_subject_may_ask(authsvc: Authsvc, policy: Path) -> None:
    (policy / "odd.csv").write_text("p, user:user:bob, *, nodes, *, get, allow\n")

    assert authsvc("explain", "--policy", policy, "--as", "user:bob", "get", "nodes").code == 0
    assert authsvc("explain", "--policy", policy, "--as", "user:eve", "get", "nodes").code == 1


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("asked", ["pod", "Pod", "po", "pods.apps"])
def test_a_resource_that_no_api_has_is_answered_with_a_hint_beside_it(
    authsvc: Authsvc, policy: Path, asked: str, form: str
) -> None:
    answer = authsvc("explain", "--policy", policy, "--as", "a", "-o", form, "get", asked)

    assert answer.code == 1
    assert answer.out
    assert answer.err == f"hint: no API has {asked}; did you mean pods?\n"
