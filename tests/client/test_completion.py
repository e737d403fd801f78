"""Completion of `kubectl authsvc …`, asked for as a shell does it: by `kubectl __complete`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.conftest import Person

BUILD = Path(__file__).parents[2] / "deploy" / "krew" / "build.py"


def _complete(alice: Person, *words: str) -> tuple[list[str], str]:
    """Return the completions without their descriptions, and the directive."""
    done = alice.kubectl("__complete", "authsvc", *words)
    assert done.returncode == 0, done.stderr
    *completions, directive = done.stdout.splitlines()
    return [line.partition("\t")[0] for line in completions], directive


def test_commands_are_completed_with_what_they_do(alice: Person) -> None:
    assert _complete(alice, "") == (
        ["login", "logout", "status", "whoami", "can-i", "setup"],
        ":4",
    )
    assert _complete(alice, "log")[0] == ["login", "logout"]
    done = alice.kubectl("__complete", "authsvc", "whoami")
    assert "whoami\tShow who the API server says you are." in done.stdout


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        (["status", "--c"], ["--context"]),
        (["status", "-o", ""], ["json"]),
        (["login", "--flow", "de"], ["device"]),
        (["login", "--flow=de"], ["device"]),
        (["setup", "--flow", "token-"], ["token-exchange", "token-file"]),
        (["status", "--context", ""], ["test"]),
        (["setup", "--cluster=t"], ["test"]),
        (["status", "--kubeconfig=]", "--context", ""], []),
        (["can-i", "--for-user", "delete", "de"], ["delete", "deletecollection"]),
        (["can-i", "delete", ""], []),
        (["can-i", "-A", "delete", "pods", ""], []),
        (["nothing", ""], []),
    ],
)
def test_what_can_follow_is_completed(
    alice: Person, words: list[str], completions: list[str]
) -> None:
    alice.kubeconfig("https://cluster.test")

    assert _complete(alice, *words) == (completions, ":4")


def test_files_are_the_shells_to_complete(alice: Person) -> None:
    assert _complete(alice, "setup", "--certificate-authority", "") == ([], ":0")


def test_a_link_to_the_single_file_completes(alice: Person, tmp_path: Path) -> None:
    subprocess.run([sys.executable, BUILD, f"--output={tmp_path}"], check=True, capture_output=True)
    link = tmp_path / "kubectl_complete-authsvc"
    link.symlink_to("kubectl-authsvc")

    assert (
        alice.run(str(link), "who").stdout == "whoami\tShow who the API server says you are.\n:4\n"
    )
