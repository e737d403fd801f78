"""`authsvc policy check`: errors and findings with their places, for people and for CI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.policy.conftest import Authsvc

SLIP = "p, user:a, *, deployment, *, get, allow\n"


def test_a_policy_that_is_well_exits_0(authsvc: Authsvc, policy: Path) -> None:
    (policy / "teams.csv").write_text("g, group:g, role:edit, *\n")

    answer = authsvc("check", "--policy", policy, "--strict", "--ignore", "escalation")

    assert answer == (0, "nothing to report\n", "")


def test_a_warning_has_its_place_and_a_suggestion_and_is_strict_where_asked(
    authsvc: Authsvc, policy: Path
) -> None:
    (policy / "slip.csv").write_text(SLIP)

    lax, strict = (
        authsvc("check", "--policy", policy, "--ignore", "escalation", *more)
        for more in ([], ["--strict"])
    )

    assert (lax.code, strict.code) == (0, 1)
    assert lax.out == strict.out
    assert lax.out.startswith(
        f"{policy}/slip.csv:1: warning: unknown-resource\n"
        "    no API has deployment\n    → did you mean deployments.apps?\n"
    )


def test_a_kind_that_is_ignored_is_not_there(authsvc: Authsvc, tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text(SLIP)

    answer = authsvc("check", "--policy", file, "--strict", "--ignore", "unknown-resource")

    assert answer == (0, "nothing to report\n", "")


def test_every_error_is_a_line_and_exits_1(authsvc: Authsvc, policy: Path) -> None:
    (policy / "bad.csv").write_text("p, a\n\nx\n")
    (policy / "worse.csv").write_bytes(b"p, user:\xff, *, pods, *, get, allow\n")

    answer = authsvc("check", "--policy", policy)

    assert answer.code == 1
    assert [line.partition(": ")[0] for line in answer.out.splitlines()[:-1]] == [
        f"{policy}/bad.csv:1",
        f"{policy}/bad.csv:3",
        f"{policy}/worse.csv:1",
    ]
    assert answer.out.endswith("3 errors\n")


def test_a_folder_that_is_not_there_is_an_error(authsvc: Authsvc, tmp_path: Path) -> None:
    answer = authsvc("check", "--policy", tmp_path / "gone")

    assert answer.code == 1
    assert "gone: error: no such file or directory" in answer.out


def test_a_wrong_model_is_reported_with_the_rows(authsvc: Authsvc, policy: Path) -> None:
    model = policy.parent / "model.conf"
    model.write_text("[request_definition]\nr = a\n")

    answer = authsvc("check", "--policy", policy, "--model", model)

    assert answer.code == 1
    assert f"{model}: error: " in answer.out


@pytest.mark.parametrize("form", ["json", "github"])
def test_findings_are_for_machines_as_well(authsvc: Authsvc, tmp_path: Path, form: str) -> None:
    file = tmp_path / "p.csv"
    file.write_text(SLIP)

    out = authsvc("check", "--policy", file, "-o", form).out

    if form == "json":
        (one,) = json.loads(out)
        assert (one["file"], one["line"], one["kind"]) == (str(file), 1, "unknown-resource")
    else:
        assert out.startswith(f"::warning file={file},line=1,title=unknown-resource::no API has")


def test_resources_are_read_from_discovery_and_from_kubectls_table(
    authsvc: Authsvc, tmp_path: Path
) -> None:
    file, discovery = tmp_path / "p.csv", tmp_path / "resources"
    file.write_text("p, user:a, *, deployment.example.com, *, get, allow\n")
    asked = ["check", "--policy", file, "--strict", "--resources", discovery]
    resource = {"name": "deployment", "namespaced": True, "kind": "D", "verbs": ["get"]}
    documents = [
        {"kind": "APIResourceList", "groupVersion": "example.com/v1", "resources": [resource]}
    ]

    discovery.write_text("".join(json.dumps(document) for document in documents))
    assert authsvc(*asked).code == 0
    discovery.write_text("deployment example.com/v1 true D get\n")
    assert authsvc(*asked).code == 0
    discovery.write_text("gadgets example.com/v1 true G get\n")
    assert authsvc(*asked).code == 1
    discovery.write_text("not a table\n")
    assert authsvc(*asked).err == (
        f"error: {discovery}:1: not a line of kubectl api-resources -o wide\n"
    )
    discovery.write_text('{"kind": "Pod"}')
    assert "is not a discovery document" in authsvc(*asked).err


def test_a_cluster_that_cannot_be_asked_is_wrong_usage(
    authsvc: Authsvc, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    answer = authsvc("check", "--policy", policy, "--cluster")

    assert answer.code == 2
    assert "kubectl cannot be run" in answer.err


def test_a_cluster_is_asked_by_kubectl(
    authsvc: Authsvc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "p.csv"
    file.write_text("p, user:a, *, widgets.example.com, *, get, allow\n")
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\necho 'gadgets example.com/v1 true Gadget get'\n")
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    answer = authsvc("check", "--policy", file, "--cluster")

    assert "no API has widgets.example.com" in answer.out


def test_a_list_of_resources_that_is_not_utf_8_is_an_error_of_a_line(
    authsvc: Authsvc, policy: Path
) -> None:
    file = policy.parent / "resources"
    file.write_bytes(b"NAME \xff\n")

    answer = authsvc("check", policy, "--resources", file)

    assert answer == (1, "", f"error: {file}: not UTF-8: it has the byte 0xff\n")
