"""A real kube-apiserver that asks a real authsvc, by the files that ``authsvc init`` wrote."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from authsvc.bootstrap import Wanted, initialise

TOKENS = """\
alice-token,alice,1001,"team-a"
bob-token,bob,1002,"interns"
mallory-token,mallory,1003,"system:masters"
"""

POLICY = """\
p, role:developer, *, pods|configmaps, *, *,   allow
p, group:interns,  *, secrets,         *, *,   deny
g, group:team-a, role:developer, team-a
"""

# Known to the API server itself: those who are there when authsvc is not.
API_SERVER_TOKENS = """\
admin-token,admin,1,"system:masters"
repair-token,repair,2,"kubeadm:cluster-admins"
carol-token,carol,3,"rbac-viewers"
intern-token,erin,4,"interns,rbac-viewers"
"""


class Program:
    """A program that runs, with its output in a file."""

    def __init__(self, name: str, folder: Path, command: list[str | Path]) -> None:
        self.log = folder / f"{name}.log"
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None

    def wait_until(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()[-4000:]
            if ready():
                return
            time.sleep(0.1)
        pytest.fail(f"not ready: {self.log.read_text()[-4000:]}")


@dataclass(frozen=True)
class Answer:
    """What kubectl said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Cluster:
    """An API server, and the authsvc that it asks."""

    folder: Path
    site: Path
    url: str
    ca: Path
    kubectl_path: Path
    authsvc: Program
    authsvc_url: str

    def kubectl(self, token: str, *arguments: str, stdin: str | None = None) -> Answer:
        """Run kubectl as whose token it is."""
        command: list[str | Path] = [self.kubectl_path, "--kubeconfig", os.devnull]
        command += ["--server", self.url, "--certificate-authority", self.ca, "--token", token]
        done = subprocess.run(
            [*command, *arguments],
            check=False,
            input=stdin,
            capture_output=True,
            text=True,
            env={"HOME": str(self.folder), "PATH": os.defpath},
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def review(self, **spec: object) -> dict[str, Any]:
        """Ask the API server's whole chain of authorizers, as an administrator may."""
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": spec,
        }
        answer = self.kubectl(
            "admin-token", "create", "-f", "-", "-o", "json", stdin=json.dumps(review)
        )
        assert answer.code == 0, answer.err
        status: dict[str, Any] = json.loads(answer.out)["status"]
        return status

    @contextmanager
    def without_authsvc(self) -> Iterator[None]:
        """Stop authsvc for a while."""
        self.authsvc.stop()
        try:
            yield
        finally:
            self.start_authsvc()

    def start_authsvc(self) -> None:
        """Start authsvc and wait until it answers."""
        self.authsvc.start()
        self.authsvc.wait_until(lambda: _answers(f"{self.authsvc_url}/readyz", self.site))


@pytest.fixture(scope="session")
def assets() -> Path:
    """Return the folder with kube-apiserver and etcd (the convention of Kubernetes' envtest)."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    if not folder:
        pytest.skip("KUBEBUILDER_ASSETS names no folder with kube-apiserver and etcd")
    for name in ("kube-apiserver", "etcd"):
        if not Path(folder, name).is_file():
            pytest.fail(f"KUBEBUILDER_ASSETS={folder} has no {name}")
    return Path(folder)


@pytest.fixture(scope="session")
def cluster(
    assets: Path, kubectl: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    site = folder / "authsvc"
    asked = initialise(site, Wanted(port=free_port())).site
    (site / "tokens.csv").write_text(TOKENS)
    for starter in (site / "policy").iterdir():
        starter.unlink()
    (site / "policy/team.csv").write_text(POLICY)
    service = Program(
        "authsvc",
        folder,
        [sys.executable, "-m", "authsvc", "serve", "--config", site / "authsvc.yaml"],
    )
    with run_etcd(assets, folder) as etcd, run_api_server(assets, folder, etcd, site) as url:
        made = Cluster(
            folder=folder,
            site=site,
            url=url,
            ca=folder / "serving/apiserver.crt",
            kubectl_path=kubectl,
            authsvc=service,
            authsvc_url=asked.url,
        )
        try:
            made.start_authsvc()
            yield made
        finally:
            service.stop()


@contextmanager
def run_etcd(assets: Path, folder: Path) -> Iterator[str]:
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    options: Mapping[str, str | Path] = {
        "data-dir": folder / "etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
    }
    with _running(assets / "etcd", folder, {**options, "unsafe-no-fsync": "true"}):
        yield client


@contextmanager
def run_api_server(
    assets: Path,
    folder: Path,
    etcd: str,
    site: Path,
    extra: Mapping[str, str | Path] = MappingProxyType({}),
) -> Iterator[str]:
    key = folder / "sa.key"
    key.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,  # it reads no PKCS #8 here
            serialization.NoEncryption(),
        )
    )
    tokens = folder / "tokens.csv"
    tokens.write_text(API_SERVER_TOKENS)
    port = free_port()
    lines = (site / "apiserver/kube-apiserver.flags").read_text().splitlines()
    flags = dict(line[2:].split("=", 1) for line in lines if line.startswith("--"))
    options: Mapping[str, str | Path] = {
        "etcd-servers": etcd,
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        "secure-port": str(port),
        "cert-dir": folder / "serving",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": key,
        "service-account-signing-key-file": key,
        "service-cluster-ip-range": "10.0.0.0/24",
        "disable-admission-plugins": "ServiceAccount",
        "endpoint-reconciler-type": "none",
        "token-auth-file": tokens,
    }
    url = f"https://127.0.0.1:{port}"
    with _running(assets / "kube-apiserver", folder, {**options, **flags, **extra}) as program:
        program.wait_until(lambda: _api_server_answers(url))
        yield url


def _running(
    path: Path, folder: Path, options: Mapping[str, str | Path]
) -> AbstractContextManager[Program]:
    return _started(Program(path.name, folder, [path, *(f"--{k}={v}" for k, v in options.items())]))


@contextmanager
def _started(program: Program) -> Iterator[Program]:
    program.start()
    try:
        yield program
    finally:
        program.stop()


def _answers(url: str, site: Path) -> bool:
    context = ssl.create_default_context(cafile=site / "pki/ca.crt")
    return _get(url, {}, context)


def _api_server_answers(url: str) -> bool:
    # It made its certificate itself a moment ago; only its readiness is asked here.
    return _get(
        f"{url}/readyz",
        {"Authorization": "Bearer admin-token"},
        ssl._create_unverified_context(),  # noqa: S323
    )


def _get(url: str, headers: Mapping[str, str], context: ssl.SSLContext) -> bool:
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310  https, see above
    try:
        with urllib.request.urlopen(request, context=context, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def free_port() -> int:
    """Return a loopback port that nobody has."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
