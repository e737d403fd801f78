"""`authsvc policy import-rbac`, `export-rbac` and `decide`, as their users run them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.policy.conftest import Authsvc

DATA = Path(__file__).parents[2] / "policy" / "rbac" / "data"


def test_a_cluster_is_imported_and_decides_every_recorded_review_in_order(
    authsvc: Authsvc, tmp_path: Path
) -> None:
    imported = authsvc("import-rbac", DATA / "rbac.json")
    assert imported.code == 0
    file = tmp_path / "rbac.csv"
    file.write_text(imported.out)

    answer = authsvc("decide", "--policy", file, "--requests", DATA / "verdicts.jsonl")

    told = [json.loads(line) for line in answer.out.splitlines()]
    expected = [json.loads(line) for line in (DATA / "verdicts.jsonl").read_text().splitlines()]
    assert [one["allowed"] for one in told] == [one["allowed"] for one in expected]
    assert not any(one["denied"] for one in told)
    assert all(one["reason"].startswith("allowed by rbac.csv:") for one in told if one["allowed"])


def test_stdin_is_a_file_as_well_and_what_grants_nothing_is_a_warning(authsvc: Authsvc) -> None:
    text = "kind: ClusterRole\nmetadata: {name: r}\nrules: [{verbs: [get]}]\n"

    answer = authsvc("import-rbac", "-", stdin=text)

    assert answer.code == 0
    assert answer.out.endswith("# grants nothing: has no rule that grants anything\n")
    assert answer.err.splitlines()[0] == (
        "warning: ClusterRole r: a rule without resources and URLs; "
        "it grants nothing in RBAC either"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kind: Pod\n",
        '{"kind": "List", "apiVersion": "v1", "items": []}',
        '{"kind": "List", "items": [{"kind": "Role", "apiVersion": "example.com/v1"}]}',
    ],
)
def test_without_any_object_of_rbac_nothing_is_printed_so_no_grant_is_dropped(
    authsvc: Authsvc, text: str
) -> None:
    answer = authsvc("import-rbac", "-", stdin=text)

    said = "error: <stdin>: no RBAC object in it (did kubectl fail?)\n"
    assert answer == (1, "", said)


def test_a_policy_without_rows_is_written_where_it_is_meant(authsvc: Authsvc) -> None:
    assert authsvc("import-rbac", "--allow-empty", "-") == (0, "# authsvc: empty\n", "")


@pytest.mark.parametrize("command", ["import-rbac", "test"])
def test_what_is_not_utf_8_is_an_error_of_a_line(
    authsvc: Authsvc, policy: Path, command: str
) -> None:
    file = policy.parent / "utf-16"
    file.write_bytes("kind: ClusterRole\n".encode("utf-16"))

    answer = authsvc(command, file)

    assert answer == (1, "", f"error: {file}: not UTF-8: it has the byte 0xff\n")


def test_what_cannot_be_said_prints_nothing_and_exits_1(authsvc: Authsvc) -> None:
    rule = "{verbs: [get], apiGroups: [core], resources: [pods]}"
    text = f"kind: ClusterRole\nmetadata: {{name: r}}\nrules: [{rule}]\n"

    answer = authsvc("import-rbac", "-", stdin=text)

    assert (answer.code, answer.out) == (1, "")
    assert "error: ClusterRole r: an API group named core" in answer.err


def test_a_line_that_is_no_review_is_an_error_with_its_number(
    authsvc: Authsvc, policy: Path
) -> None:
    lines = '{"user": "a", "resourceAttributes": {"verb": "get"}}\n{"user": 1}\n'

    answer = authsvc("decide", "--policy", policy, stdin=lines)

    assert answer.code == 1
    assert answer.err.startswith("error: line 2: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"user": "a", "resourceAttributes": {"verb": "get", "resorce": "pods"}}',
            "line 1: resourceAttributes.resorce: unknown field; did you mean resource?",
        ),
        (
            '{"spec": {"usr": "a", "resourceAttributes": {"verb": "get"}}}',
            "line 1: spec.usr: unknown field; did you mean user?",
        ),
        (
            '{"resourceAttributes": {"fieldSelector": {"requirements": [{"Key": ""}]}}}',
            "line 1: resourceAttributes.fieldSelector.requirements.Key: unknown field",
        ),
        ('{"sepc": {}}', "line 1: sepc: unknown field"),
        ('{\n  "user": "a"\n}', "line 1: not JSON: a request is one object on one line"),
    ],
)
def test_a_request_with_what_no_request_has_is_an_error_with_its_place(
    authsvc: Authsvc, policy: Path, text: str, said: str
) -> None:
    answer = authsvc("decide", "--policy", policy, stdin=text)

    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(f"error: {said}")


def test_all_that_a_review_may_have_is_no_unknown_field(authsvc: Authsvc, policy: Path) -> None:
    selector = {"rawSelector": "a=b", "requirements": [{"key": "a", "operator": "Exists"}]}
    asked = {"verb": "get", "resource": "pods", "labelSelector": selector, "fieldSelector": None}
    spec = {"user": "a", "extra": {"k": ["v"]}, "group": ["g"], "resourceAttributes": asked}
    review = {"kind": "SubjectAccessReview", "metadata": {"x": 1}, "spec": spec, "status": {}}

    assert authsvc("decide", "--policy", policy, stdin=json.dumps(review)).code == 0


def test_a_policy_that_fits_is_exported_as_yaml_that_imports_again(
    authsvc: Authsvc, policy: Path
) -> None:
    (policy / "teams.csv").write_text("g, group:team-a, role:edit, team-a\n")

    answer = authsvc("export-rbac", "--policy", policy)

    assert (answer.code, answer.err) == (0, "")
    kinds = [document["kind"] for document in yaml.safe_load_all(answer.out)]
    assert kinds == ["ClusterRole", "ClusterRole", "RoleBinding"]
    assert "&id" not in answer.out
    assert authsvc("import-rbac", "-", stdin=answer.out).err == ""


def test_what_does_not_fit_is_an_error_or_with_force_a_comment(
    authsvc: Authsvc, policy: Path
) -> None:
    refused = authsvc("export-rbac", "--policy", policy)
    forced = authsvc("export-rbac", "--policy", policy, "--force")

    assert (refused.code, refused.out) == (1, "")
    assert "error: policy/teams.csv:4: RBAC has no deny; without it more is allowed" in refused.err
    assert "error: policy/teams.csv:3: RBAC has no times\n" in refused.err
    assert forced.code == 1
    assert forced.out.startswith("# Not all of the policy: 2 rows left out.\n# policy/teams.csv:")
    assert list(yaml.safe_load_all(forced.out))
