"""The two commands, as one types them."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml


def authsvc(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "authsvc", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd)


def test_init_says_what_it_wrote_and_what_comes_next_and_then_that_there_is_nothing_to_do(
    tmp_path: Path,
) -> None:
    first = authsvc("init", "--dir", "site", cwd=tmp_path)
    second = authsvc("init", "--dir", "site", cwd=tmp_path)

    assert (first.returncode, first.stderr) == (0, "")
    assert "created  pki/server.crt\n" in first.stdout
    assert "authsvc serve --config site/authsvc.yaml" in first.stdout
    assert (second.returncode, second.stdout) == (0, f"{tmp_path / 'site'}: nothing to do\n")


def test_what_comes_next_names_the_folder_as_it_was_given(tmp_path: Path) -> None:
    done = authsvc("init", "--dir", tmp_path / "site", cwd=Path("/"))

    assert f"authsvc serve --config {tmp_path / 'site/authsvc.yaml'}\n" in done.stdout


def test_a_renewed_certificate_asks_for_nothing_more(tmp_path: Path) -> None:
    authsvc("init", "--dir", "site", cwd=tmp_path)
    for name in ("server.crt", "server.key"):
        (tmp_path / "site/pki" / name).unlink()

    again = authsvc("init", "--dir", "site", cwd=tmp_path)

    assert "pki/server.crt" in again.stdout
    assert "Nothing to restart" in again.stdout
    assert "Next:" not in again.stdout


def test_init_says_which_place_on_the_node_the_files_are_for(tmp_path: Path) -> None:
    authsvc("init", "--dir", "site", "--node-dir", "/etc/kubernetes/authsvc", cwd=tmp_path)
    again = authsvc("init", "--dir", "site", cwd=tmp_path)

    assert "a node that has the folder at /etc/kubernetes/authsvc (--node-dir)" in again.stdout
    assert "nothing to do" in again.stdout


def test_what_cannot_be_done_is_one_line_and_exit_status_1(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a PEM")
    cases = (
        ["init", "--dir", "file/site"],
        ["init", "--dir", "site", "--ca-cert", "file", "--ca-key", "file"],
        ["init", "--dir", "site", "--host", "https://auth.example.com"],
        ["init", "--dir", "site", "--node-dir", "/etc/a\nb"],
        ["init", "--dir", "unmade", "--oidc-issuer", "http://id", "--oidc-audience", "a"],
        ["kubeconfig", "authentication", "--server", "http://auth.example.com"],
        ["kubeconfig", "authentication", "--embed"],
        ["kubeconfig", "authentication", "-o", "nowhere/file"],
    )
    for case in cases:
        done = authsvc(*case, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, ""), case
        assert done.stderr.startswith("error: "), case
        assert done.stderr.count("\n") == 1, done.stderr

    assert not (tmp_path / "unmade").exists()


@pytest.mark.parametrize(
    ("given", "other"),
    [
        (["--ca-cert", "file"], "--ca-cert and --ca-key"),
        (["--oidc-issuer", "https://id.example.com"], "--oidc-issuer and --oidc-audience"),
        (["--oidc-audience", "kubernetes"], "--oidc-issuer and --oidc-audience"),
    ],
)
def test_options_that_belong_together_are_asked_for_together(
    tmp_path: Path, given: list[str], other: str
) -> None:
    done = authsvc("init", "--dir", "site", *given, cwd=tmp_path)

    assert done.returncode == 2
    assert f"{other} belong together" in done.stderr


def test_an_issuer_is_written_for_the_api_server_itself(tmp_path: Path) -> None:
    url = "https://id.example.com/realms/main"
    given = ["--oidc-issuer", url, "--oidc-audience", "kubernetes", "--oidc-audience", 'odd: "1"']

    first = authsvc("init", "--dir", "site", *given, cwd=tmp_path)
    second = authsvc("init", "--dir", "site", *given, cwd=tmp_path)

    assert (first.returncode, first.stderr) == (0, "")
    assert "nothing to do" in second.stdout
    text = (tmp_path / "site/apiserver/authentication-config.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    assert document["kind"] == "AuthenticationConfiguration"
    (jwt,) = document["jwt"]
    assert (jwt["issuer"]["url"], jwt["issuer"]["audiences"]) == (url, ["kubernetes", 'odd: "1"'])
    assert jwt["claimMappings"]["username"] == {"claim": "sub", "prefix": "oidc:"}
    assert len(jwt["userValidationRules"]) == 2


def test_kubeconfig_writes_one_alone(tmp_path: Path) -> None:
    authsvc("init", "--dir", ".", cwd=tmp_path)

    printed = authsvc("kubeconfig", "authorization", "--server", "https://a:1", cwd=tmp_path)
    written = authsvc("kubeconfig", "authentication", "--embed", "-o", "alone", cwd=tmp_path)

    document = yaml.safe_load(printed.stdout)
    assert document["clusters"][0]["cluster"] == {
        "server": "https://a:1/authorize",
        "certificate-authority": str(tmp_path / "pki/ca.crt"),
    }
    assert (written.returncode, written.stdout) == (0, "")
    # It holds a key.
    assert stat.S_IMODE((tmp_path / "alone").stat().st_mode) == 0o600
