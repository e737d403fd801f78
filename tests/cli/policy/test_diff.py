"""`authsvc policy diff`: folders and revisions, exit status as diff(1)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.policy.conftest import Authsvc

GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]


def changed(policy: Path, old: str, new: str) -> Path:
    """A copy of a policy with some text replaced."""
    other = policy.parent / "new"
    other.mkdir()
    for file in policy.glob("*.csv"):
        (other / file.name).write_text(file.read_text().replace(old, new))
    return other


def test_equal_policies_are_no_difference_and_exit_0(authsvc: Authsvc, policy: Path) -> None:
    answer = authsvc("diff", policy, changed(policy, "get|list|watch", "watch|get|list"))

    assert answer == (0, "no difference: every request is decided as before\n", "")


def test_a_wider_grant_says_who_gains_by_which_row_and_what_was_there(
    authsvc: Authsvc, policy: Path
) -> None:
    answer = authsvc("diff", policy, changed(policy, "role:edit, team-a", "role:edit, team-*"))

    assert answer.code == 1
    assert answer.out.startswith("group:team-a\n  may now\n")
    assert "deployments.apps in team-*" in answer.out
    assert "of that already in team-a" in answer.out
    assert "by role:edit, new/teams.csv:1" in answer.out
    assert answer.out.endswith("1 subject with more\n")


def test_a_deny_that_reaches_less_is_said_as_such(authsvc: Authsvc, policy: Path) -> None:
    answer = authsvc("diff", policy, changed(policy, "prod*, secrets", "prod-*, secrets"))

    assert answer.code == 1
    assert (
        "are no longer denied\n    ~ * secrets in prod*\n        but still in prod-*" in answer.out
    )


def test_json_has_an_object_a_line(authsvc: Authsvc, policy: Path) -> None:
    answer = authsvc("diff", policy, changed(policy, "group:on-call", "group:sre"), "-o", "json")

    lines = json.loads(answer.out)
    assert {(line["subjects"][0], line["change"]) for line in lines} == {
        ("group:on-call", "lost"),
        ("group:sre", "gained"),
    }


def test_quiet_says_it_by_the_exit_status_alone(authsvc: Authsvc, policy: Path) -> None:
    assert authsvc("diff", "-q", policy, changed(policy, "pods", "nodes")) == (1, "", "")


def test_what_cannot_be_read_is_exit_status_2(authsvc: Authsvc, policy: Path) -> None:
    other = changed(policy, "allow", "alow")

    answer = authsvc("diff", policy, other)

    assert answer.code == 2
    assert answer.out == ""
    assert len(answer.err.splitlines()) == 3
    assert answer.err.startswith(f"error: {other}/roles.csv:2: effect must be allow or deny")


def test_a_revision_of_git_is_compared_with_the_folder(
    authsvc: Authsvc, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = policy.parent
    monkeypatch.chdir(repository)
    (policy / "teams.csv").rename(repository / "elsewhere.csv")
    (policy / "teams.csv").symlink_to("../elsewhere.csv")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
        subprocess.run([*GIT, *command], check=True)

    assert authsvc("diff", "HEAD:policy").code == 0
    file = repository / "elsewhere.csv"
    file.write_text(file.read_text() + "g, user:eve, role:view, *\n")
    answer = authsvc("diff", "HEAD:policy", "policy")

    assert answer.code == 1
    assert answer.out.startswith("user:eve\n  may now")
    assert authsvc("diff", "HEAD:nothing").err.startswith("error: HEAD:nothing: ")
    assert authsvc("diff", "nowhere:policy").code == 2
