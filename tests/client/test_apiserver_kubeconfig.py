"""`authsvc kubeconfig`, as somebody types it the first time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml


def _kubeconfig(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "authsvc", "kubeconfig", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd)


@pytest.mark.parametrize("output", ["yaml", "json"])
def test_a_format_is_not_taken_for_a_file(tmp_path: Path, output: str) -> None:
    done = _kubeconfig("authentication", "-o", output, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "-o names the file to write; YAML is printed without it." in done.stderr
    assert list(tmp_path.iterdir()) == []

    assert _kubeconfig("authentication", "-o", f"./{output}", cwd=tmp_path).returncode == 0
    assert yaml.safe_load((tmp_path / output).read_text())["kind"] == "Config"


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.touch()

    done = _kubeconfig("authentication", "--ca=ca.crt", cwd=tmp_path)

    assert done.returncode == 0
    assert yaml.safe_load(done.stdout)["kind"] == "Config"
    assert done.stderr.startswith(f"warning: {tmp_path}/pki/apiserver-client.crt, {tmp_path}/pki/")
    assert "Run `authsvc init` first" in done.stderr
    assert str(ca) not in done.stderr


@pytest.mark.parametrize(
    ("review", "path", "right"),
    [
        ("authentication", "/authorize", "/authenticate"),
        ("authorization", "/proxied/authenticate/", "/authorize"),
    ],
)
def test_the_path_of_the_other_review_is_refused(
    tmp_path: Path, review: str, path: str, right: str
) -> None:
    wrong = _kubeconfig(review, f"--server=https://a.test{path}", cwd=tmp_path)
    good = _kubeconfig(review, f"--server=https://a.test{right}", cwd=tmp_path)

    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert f"end it with {right}, or leave the path out" in wrong.stderr
    assert good.returncode == 0
    assert yaml.safe_load(good.stdout)["clusters"][0]["cluster"]["server"].endswith(right)
