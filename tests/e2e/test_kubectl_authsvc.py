"""The kubectl plugin and a real API server: it takes the credential and answers the reviews."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client.conftest import Person
from tests.e2e.conftest import Cluster

pytestmark = pytest.mark.e2e


@pytest.fixture
def alice(cluster: Cluster, tmp_path: Path) -> Person:
    """Somebody whose token is in a file, as in CI."""
    person = Person(tmp_path, cluster.ca)
    token = tmp_path / "token"
    token.write_text("alice-token\n")
    person.kubeconfig(cluster.url, "--flow=token-file", f"--token-file={token}")
    return person


def test_the_api_server_says_who_the_credential_is(alice: Person) -> None:
    done = alice.kubectl("authsvc", "whoami")

    assert done.returncode == 0, done.stderr
    assert "Username:  alice" in done.stdout
    assert "team-a" in done.stdout


def test_can_i_explains_with_the_row_that_decided(alice: Person) -> None:
    yes = alice.kubectl("authsvc", "can-i", "list", "po", "-n", "team-a", "--explain")
    no = alice.kubectl("authsvc", "can-i", "list", "deploy", "-n", "team-a", "--explain")

    assert yes.stdout.startswith("yes\n"), yes.stderr
    assert "team.csv:1" in yes.stdout
    assert (no.returncode, no.stdout.splitlines()[0]) == (1, "no")


def test_kubectl_lists_what_alice_may(alice: Person) -> None:
    assert alice.kubectl("get", "pods", "-n", "team-a", "-o", "name").returncode == 0
    assert alice.kubectl("get", "secrets", "-n", "team-a").returncode != 0
