"""``authsvc config``: check, print-defaults, schema."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from authsvc.bootstrap import initialise
from authsvc.cli import group
from authsvc.errors import InvalidConfigurationError, InvalidPolicyError
from tests.cli.test_main import authsvc
from tests.parts.issuer import cheap_hash
from tests.parts.logs import restored_logging


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    with restored_logging():
        yield


@pytest.fixture
def site(tmp_path: Path) -> Path:
    initialise(tmp_path / "site")
    return tmp_path / "site"


def test_a_good_configuration_is_said_to_be_one_part_by_part(site: Path) -> None:
    run = authsvc("config", "check", str(site / "authsvc.yaml"))
    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    assert lines[0] == f"{site / 'authsvc.yaml'}: ok"
    for part in ("configuration", "authenticator/tokens", "policy", "certificates"):
        assert f"  loaded:         {part}" in lines


def test_the_file_may_be_named_as_to_every_other_command(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(site / "authsvc.yaml")
    runner = CliRunner()
    for arguments, variable in (([file], "none"), (["--config", file], "none"), ([], file)):
        monkeypatch.setenv("AUTHSVC_CONFIG", variable)
        run = runner.invoke(group, ["config", "check", *arguments])
        assert (run.exit_code, run.output.splitlines()[0]) == (0, f"{file}: ok")

    twice = runner.invoke(group, ["config", "check", file, "--config", file])
    monkeypatch.delenv("AUTHSVC_CONFIG")
    not_at_all = [runner.invoke(group, command) for command in (["config", "check"], ["serve"])]

    assert twice.exit_code == 2
    assert "two answers to one question" in twice.output
    for run in not_at_all:
        assert run.exit_code == 2
        assert "Which configuration file?" in run.output


def test_a_certificate_that_has_ended_is_a_warning(tmp_path: Path) -> None:
    long_ago = dt.datetime.now(dt.UTC) - dt.timedelta(days=400)
    initialise(tmp_path / "site", now=long_ago)

    run = authsvc("config", "check", str(tmp_path / "site/authsvc.yaml"))

    assert run.returncode == 0
    assert "  warning:        the server certificate ended on " in run.stdout


def test_every_fault_is_a_line_and_the_exit_is_1(site: Path) -> None:
    file = site / "authsvc.yaml"
    file.write_text(file.read_text() + "logging: {level: loud}\nserver2: {}\n")
    run = authsvc("config", "check", str(file))
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr == (
        "error: server2: unknown field; did you mean server?\n"
        "error: logging.level: expected one of debug, info, warning, error, got 'loud'\n"
    )


def test_the_faults_of_the_files_it_names_are_found(site: Path) -> None:
    (site / "tokens.csv").write_text("half\n")
    (site / "policy/roles.csv").write_text("p, nobody\n")
    run = authsvc("config", "check", str(site / "authsvc.yaml"))
    assert run.returncode == 1
    assert "tokens.csv:1: " in run.stderr
    assert "roles.csv:1: " in run.stderr
    assert "Traceback" not in run.stderr


def test_a_key_of_another_certificate_is_found(site: Path) -> None:
    (site / "pki/server.key").write_bytes((site / "pki/ca.key").read_bytes())
    result = CliRunner().invoke(group, ["config", "check", str(site / "authsvc.yaml")])
    assert isinstance(result.exception, InvalidConfigurationError)
    assert "server.tls.keyFile: " in str(result.exception)


def test_faults_of_all_sorts_of_files_are_told_at_once(site: Path) -> None:
    (site / "tokens.csv").write_text("half\n")
    (site / "pki/server.key").write_bytes((site / "pki/ca.key").read_bytes())
    (site / "log").mkdir()
    file = site / "authsvc.yaml"
    file.write_text(file.read_text() + "logging: {decisions: log}\n")

    run = authsvc("config", "check", str(file))

    assert run.returncode == 1
    for place in ("server.tls.keyFile: ", "logging.decisions: ", f"{site / 'tokens.csv'}:1: "):
        assert f"error: {place}" in run.stderr


def test_an_engine_that_is_not_installed_is_found_before_the_start(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = site / "authsvc.yaml"
    text = file.read_text().replace("server:", "server:\n  engine: Granian", 1)
    file.write_text(re.sub(r" +allowedClientNames: .*\n", "", text))
    monkeypatch.setattr("authsvc.runtime.find_spec", lambda _: None)

    result = CliRunner().invoke(group, ["config", "check", str(file)])

    assert isinstance(result.exception, InvalidConfigurationError)
    assert str(result.exception) == (
        "server.engine: Granian is not installed; it comes with authsvc[fast]"
    )


def test_two_providers_that_could_name_one_user_are_a_warning(site: Path) -> None:
    forges = """\
  - {name: hub, type: GitHub, github: {organizations: [acme], claimMappings: {
      username: {claim: login, prefix: ""}}}}
  - {name: lab, type: GitLab, gitlab: {groups: [acme], claimMappings: {
      username: {claim: username, prefix: ""}}}}
authorization:"""
    file = site / "authsvc.yaml"
    file.write_text(file.read_text().replace("authorization:", forges, 1))

    run = authsvc("config", "check", str(file))

    assert (run.returncode, run.stderr) == (0, "")
    assert "  warning:        user names of hub and lab have no prefix: " in run.stdout


def test_names_of_the_control_plane_in_tables_are_warnings_with_their_places(site: Path) -> None:
    (site / "tokens.csv").write_text(
        'canary-1,alice,1,"devs,system:masters"\n\ncanary-2,System:Admin,2\ncanary-3,bob,3\n'
    )
    (site / "passwords").write_text(
        f'# people\ncarl:{cheap_hash("canary-4")}:4:"kubeadm:cluster-admins"\n'
    )
    (site / "passwords").chmod(0o600)
    passwords = """\
  - {name: people, type: StaticPasswords, staticPasswords: {file: passwords}}
authorization:"""
    file = site / "authsvc.yaml"
    file.write_text(file.read_text().replace("authorization:", passwords, 1))

    run = authsvc("config", "check", str(file))

    assert (run.returncode, run.stderr) == (0, "")
    warnings = [line for line in run.stdout.splitlines() if line.startswith("  warning:")]
    assert [line.removeprefix(f"  warning:        {site}/") for line in warnings] == [
        "tokens.csv:1: group 'system:masters' is the control plane's: it is left out",
        "tokens.csv:3: user 'System:Admin' is the control plane's: it is refused",
        "passwords:2: group 'kubeadm:cluster-admins' is the control plane's: it is left out",
    ]


def test_secrets_that_everybody_may_read_are_warnings(site: Path) -> None:
    (site / "tokens.csv").chmod(0o644)
    (site / "pki/server.key").chmod(0o640)  # a group may: so is a Secret under an fsGroup

    run = authsvc("config", "check", str(site / "authsvc.yaml"))

    assert (run.returncode, run.stderr) == (0, "")
    assert [line for line in run.stdout.splitlines() if "warning" in line] == [
        f"  warning:        {site / 'tokens.csv'}: its mode lets everybody read it: chmod o-rwx"
    ]


def test_rows_that_a_policy_check_warns_of_are_counted(site: Path) -> None:
    with (site / "policy/bindings.csv").open("a") as file:
        file.write("p, user:alice, *, pod, *, get, deny\n")

    run = authsvc("config", "check", str(site / "authsvc.yaml"))

    assert (run.returncode, run.stderr) == (0, "")
    warning = f"policy: 1 warning, see `authsvc policy check {site / 'policy'}`"
    assert f"  warning:        {warning}\n" in run.stdout


def test_a_configuration_that_knows_and_grants_nothing_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "authsvc.yaml"
    file.write_text("apiVersion: config.authsvc.io/v1alpha1\nkind: AuthsvcConfiguration\n")

    run = authsvc("config", "check", str(file))

    assert (run.returncode, run.stderr) == (0, "")
    assert "  warning:        no authenticators and no policy: " in run.stdout


def test_a_check_starts_nothing_and_writes_nothing(site: Path) -> None:
    file = site / "authsvc.yaml"
    file.write_text(file.read_text() + "logging: {decisions: decisions.jsonl}\n")
    before = sorted(site.rglob("*"))
    assert authsvc("config", "check", str(file)).returncode == 0
    assert sorted(site.rglob("*")) == before


def test_printed_defaults_are_a_configuration_that_is_good(tmp_path: Path) -> None:
    printed = authsvc("config", "print-defaults")
    file = tmp_path / "authsvc.yaml"
    file.write_text(printed.stdout)
    assert authsvc("config", "check", str(file)).returncode == 0
    assert list(yaml.safe_load(printed.stdout))[:3] == ["apiVersion", "kind", "server"]


def test_the_schema_is_a_json_schema_of_the_whole_file() -> None:
    schema = json.loads(authsvc("config", "schema").stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    root = schema["$defs"]["AuthsvcConfiguration"]
    assert {"server", "authentication", "authorization", "logging"} <= root["properties"].keys()
    assert root["additionalProperties"] is False


def test_a_policy_emptied_by_an_editor_is_no_policy(site: Path) -> None:
    for file in (site / "policy").iterdir():
        file.write_text("")
    result = CliRunner().invoke(group, ["config", "check", str(site / "authsvc.yaml")])
    assert isinstance(result.exception, InvalidPolicyError)
