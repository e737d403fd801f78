"""`authsvc policy who-can` and `what-can`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
import yaml

from tests.cli.policy.conftest import Authsvc


def test_who_can_names_the_subjects_with_their_roles_and_rows(
    authsvc: Authsvc, policy: Path
) -> None:
    answer = authsvc("who-can", "--policy", policy, "get", "pods", "-n", "team-a")

    assert answer.code == 0
    assert [line.split("  ")[0] for line in answer.out.splitlines() if line[0] != " "] == [
        "MAY",
        "group:team-a",
        "group:on-call",
    ]
    assert "role:edit → role:view" in answer.out


def test_who_can_names_those_who_are_denied_and_exits_1_where_nobody_may(
    authsvc: Authsvc, policy: Path
) -> None:
    answer = authsvc("who-can", "--policy", policy, "get", "secrets", "-n", "prod-eu")

    assert answer.code == 1
    assert answer.out.splitlines()[0] == "nobody may"
    assert "group:interns  itself  policy/teams.csv:4" in answer.out


def test_what_every_user_may_is_there_once(authsvc: Authsvc, policy: Path) -> None:
    answer = authsvc("who-can", "--policy", policy, "get", "/healthz", "-o", "json")

    assert [one["subject"] for one in json.loads(answer.out)] == ["user:*"]


def test_who_can_without_a_namespace_is_about_all_of_them(authsvc: Authsvc, policy: Path) -> None:
    answer = authsvc("who-can", "--policy", policy, "-A", "list", "pods", "-o", "json")

    assert [one["subject"] for one in json.loads(answer.out)] == ["group:on-call"]


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load), ("csv", read_csv)]
)
def test_what_can_is_the_same_in_each_form(
    authsvc: Authsvc, policy: Path, form: str, read: Callable[[str], list[dict[str, str]]]
) -> None:
    answer = authsvc("what-can", "--policy", policy, "group:team-a", "-o", form)

    records = read(answer.out)
    assert records[0] == {
        "effect": "allow",
        "may": "create|update|patch|delete",
        "what": "deployments.apps",
        "which": "*",
        "where": "team-a",
        "when": "",
        "during": "",
        "by": "group:team-a → role:edit",
        "rows": "policy/roles.csv:3 policy/teams.csv:1",
    }
    assert records[1]["rows"] == "policy/roles.csv:2 policy/teams.csv:1 policy/roles.csv:4"
    assert len(records) == 2


def test_what_a_user_can_includes_their_groups_and_begins_with_what_they_cannot(
    authsvc: Authsvc, policy: Path
) -> None:
    answer = authsvc("what-can", "--policy", policy, "user:alice", "--as-group", "interns")

    assert answer.code == 0
    assert (
        answer.out
        == """\
group:interns in prod* may not
  VERBS  WHAT     ROW
  *      secrets  policy/teams.csv:4

user:* may
  VERBS  WHAT               ROW
  get    /healthz|/version  policy/teams.csv:5
"""
    )


def test_what_nobody_can_is_nothing_and_exit_status_1(authsvc: Authsvc, policy: Path) -> None:
    answer = authsvc("what-can", "--policy", policy, "group:intern", "--as-group", "x")

    assert (answer.code, answer.out) == (1, "nothing\n")
    assert answer.err == "hint: no row is for group:intern; did you mean group:interns?\n"


def test_somebody_without_rows_may_have_groups(authsvc: Authsvc, policy: Path) -> None:
    (policy / "teams.csv").write_text("g, group:team-a, role:edit, team-a\n")

    answer = authsvc("what-can", "--policy", policy, "user:alice")

    assert answer.err == (
        "hint: no row is for user:alice; what somebody's groups may, --as-group adds\n"
    )


@pytest.mark.parametrize(
    ("subject", "meant"),
    [
        ("alice", "did you mean user:alice?"),
        ("team-a", "did you mean group:team-a?"),
        ("view", "did you mean role:view?"),
        ("usr:a", "did you mean user:a?"),
        ("system:serviceaccount:a:b", "did you mean serviceaccount:a:b?"),
        ("group:", "or role:NAME"),
        ("serviceaccount:a", "or role:NAME"),
        ("serviceaccount::a", "or role:NAME"),
        ("", "or role:NAME"),
    ],
)
def test_what_is_no_subject_is_wrong_usage_with_a_suggestion(
    authsvc: Authsvc, policy: Path, subject: str, meant: str
) -> None:
    answer = authsvc("what-can", "--policy", policy, subject)

    assert (answer.code, answer.out) == (2, "")
    assert f"Error: {subject!r} is not user:NAME, group:NAME, service" in answer.err
    assert answer.err.endswith(f"{meant}\n")


def test_a_group_is_named_without_its_prefix(authsvc: Authsvc, policy: Path) -> None:
    answer = authsvc("what-can", "--policy", policy, "user:a", "--as-group", "group:team-a")

    assert answer.code == 2
    assert "did you mean --as-group team-a?" in answer.err


def test_who_can_hints_at_the_resource_that_was_meant(authsvc: Authsvc, policy: Path) -> None:
    answer = authsvc("who-can", "--policy", policy, "get", "deploy", "-n", "team-a", "-o", "json")

    assert (answer.code, answer.out) == (1, "[]\n")
    assert answer.err == "hint: no API has deploy; did you mean deployments.apps?\n"


def test_a_policy_with_errors_says_each_of_them_on_a_line(authsvc: Authsvc, policy: Path) -> None:
    (policy / "bad.csv").write_text("p, a\nx\n")

    answer = authsvc("what-can", "--policy", policy, "user:a")

    assert answer.code == 1
    assert answer.err.count("error: ") == 2
    assert f"{policy / 'bad.csv'}:1: " in answer.err
    assert f"{policy / 'bad.csv'}:2: " in answer.err


def test_the_policy_of_a_configuration_is_taken(
    authsvc: Authsvc, policy: Path, tmp_path: Path
) -> None:
    file = tmp_path / "authsvc.yaml"
    file.write_text(
        "apiVersion: config.authsvc.io/v1alpha1\nkind: AuthsvcConfiguration\n"
        "authorization:\n  policy:\n    folder: policy\n"
    )

    assert authsvc("what-can", "--config", file, "group:team-a").code == 0
    assert authsvc("what-can", "--config", file, "--policy", policy, "group:a").code == 2


def test_another_model_is_said_on_stderr_alone(authsvc: Authsvc, policy: Path) -> None:
    model = policy.parent / "model.conf"
    shipped = resources.files("authsvc.policy") / "shipped" / "model.conf"
    model.write_text(shipped.read_text().replace(" && !some(where (p.eft == deny))", ""))

    answer = authsvc(
        "what-can", "--policy", policy, "--model", model, "group:interns", "-o", "json"
    )

    assert [one["effect"] for one in json.loads(answer.out)] == ["deny"]
    assert answer.err.startswith("warning: this shows what the rows say; the model, not the")
