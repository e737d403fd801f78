"""The plugin as one file, and the krew manifest: built and run as a stranger would."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.client.conftest import Person
from tests.client.servers import APIServer, Issuer

BUILD = Path(__file__).parents[2] / "deploy" / "krew" / "build.py"
URL = "https://releases.test/kubectl-authsvc.tar.gz"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which it was built."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, str(BUILD), f"--output={folder}", f"--url={URL}"]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def test_the_single_file_is_all_that_kubectl_needs(
    alice: Person, issuer: Issuer, api_server: APIServer, built: Path
) -> None:
    programs = alice.home / "bin"
    programs.mkdir()
    (programs / "kubectl-authsvc").write_bytes((built / "kubectl-authsvc").read_bytes())
    (programs / "kubectl-authsvc").chmod(0o755)
    kubectl = alice.run("sh", "-c", "command -v kubectl").stdout.strip()
    (programs / "kubectl").symlink_to(kubectl)
    (programs / "python3").symlink_to(sys.executable)
    alice.environment["PATH"] = f"{programs}:/usr/bin:/bin"
    api_server.knows = lambda token: token in issuer.issued
    alice.kubeconfig(
        api_server.url,
        f"--issuer={issuer.url}",
        f"--certificate-authority={alice.authority}",
        "--flow=client-credentials",
    )

    listed = alice.kubectl("get", "pods", "-o", "name")
    who = alice.kubectl("authsvc", "whoami")

    assert listed.stdout == "pod/web-0\n", listed.stderr
    assert "alice" in who.stdout
    assert issuer.grants("client_credentials") == 1


def test_an_old_python_is_told_what_is_needed(built: Path) -> None:
    program = (
        "import runpy, sys; sys.version_info = (3, 9, 0);"
        f"runpy.run_path({str(built / 'kubectl-authsvc')!r}, run_name='__main__')"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr == ("kubectl-authsvc: needs Python 3.11 or newer as python3, this is 3.9\n")


def test_the_same_sources_make_the_same_bytes(built: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, BUILD, f"--output={tmp_path}"], check=True, capture_output=True)

    for name in ("kubectl-authsvc", "kubectl-authsvc.tar.gz"):
        assert (tmp_path / name).read_bytes() == (built / name).read_bytes()


def test_the_manifest_names_what_is_in_the_archive(built: Path) -> None:
    manifest = yaml.safe_load((built / "authsvc.yaml").read_text())
    (platform,) = manifest["spec"]["platforms"]

    packed = built / "kubectl-authsvc.tar.gz"
    assert platform["sha256"] == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert platform["uri"] == URL
    assert manifest["spec"]["version"].startswith("v")
    assert "$" not in (built / "authsvc.yaml").read_text()
    with tarfile.open(packed) as archive:
        assert archive.getnames() == [file["from"] for file in platform["files"]]
        assert archive.getmember(platform["bin"]).mode == 0o755
