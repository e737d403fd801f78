"""The real kubectl, with the kubeconfigs that ``authsvc init`` wrote for the API server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.integration.reviews import ENDPOINTS, is_granted, review
from tests.parts import https
from tests.parts.authsvc_server import AuthsvcServer

KUBECONFIGS = {
    "/authenticate": "authentication.kubeconfig",
    "/authorize": "authorization.kubeconfig",
}


def create(
    kubectl: Path, options: list[str | Path], path: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Post a review as ``kubectl create --raw`` does."""
    file = folder / "review.json"
    file.write_bytes(https.encode(review(path)))
    return subprocess.run(
        [kubectl, *options, "create", "--raw", path, "-f", file],
        env={"HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("path", ENDPOINTS)
def test_kubectl_asks_with_the_generated_kubeconfig(
    granting_server: AuthsvcServer, kubectl: Path, tmp_path: Path, path: str
) -> None:
    kubeconfig = granting_server.folder / "apiserver" / KUBECONFIGS[path]

    ran = create(kubectl, ["--kubeconfig", kubeconfig], path, tmp_path)

    assert ran.returncode == 0, ran.stderr
    answered = json.loads(ran.stdout)
    assert answered["kind"] == review(path)["kind"]
    assert answered["status"].get("authenticated") or answered["status"].get("allowed")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_kubectl_is_refused_without_the_client_certificate(
    granting_server: AuthsvcServer, kubectl: Path, tmp_path: Path, path: str
) -> None:
    """A bearer token in its place is of no use; without one kubectl would ask for a password."""
    options: list[str | Path] = ["--server", f"https://127.0.0.1:{granting_server.port}"]
    options += ["--certificate-authority", granting_server.ca, "--token", "some-token"]
    assert is_granted(granting_server.post(path, review(path)))

    ran = create(kubectl, options, path, tmp_path)

    assert ran.returncode == 1
    assert ran.stdout == ""
    assert "logged in" in ran.stderr or "a client certificate is required" in ran.stderr
