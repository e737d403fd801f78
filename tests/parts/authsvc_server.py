"""The service as its users run it: ``authsvc serve`` over real TLS, on a free loopback port.

    server = start_authsvc(tokens="secret,alice,1,devs", policy={"a.csv": "p, user:alice, …"})
    assert server.authenticate("secret")["authenticated"]

What was started is stopped after the test: it must end with 0 and without a
traceback in what it wrote.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from authsvc.bootstrap import Wanted, initialise
from tests.parts import https
from tests.parts.certificates import KeyPair
from tests.parts.waiting import eventually

CLIENT_NAME = "kube-apiserver-authsvc-client"
EMPTY_POLICY = "# authsvc: empty\n"
NOBODY = "# no tokens\n"

SERVE: Sequence[str] = (sys.executable, "-m", "authsvc", "serve", "--config", "{config}")

Settings = Mapping[str, Any]


class AuthsvcServer:
    """One ``authsvc serve`` and its folder, as ``authsvc init`` fills it."""

    def __init__(
        self,
        folder: Path,
        *,
        tokens: str = NOBODY,
        policy: Mapping[str, str] | None = None,
        settings: Settings | None = None,
        command: Sequence[str | Path] = SERVE,
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.config = folder / "authsvc.yaml"
        self.ca = folder / "pki/ca.crt"
        self.api_server = KeyPair(
            folder / "pki/apiserver-client.crt", folder / "pki/apiserver-client.key"
        )
        self.decision_log = folder / "stdout"
        self._log = folder / "stderr"
        self._command = [str(part).format(config=self.config) for part in command]
        self._process: subprocess.Popen[bytes] | None = None
        self._everybodys: KeyPair | None = None
        self._is_told_to_stop = False
        initialise(folder, Wanted(port=self.port))
        self.write_tokens(tokens)
        for starter in (folder / "policy").iterdir():
            starter.unlink()
        for name, text in (policy or {"policy.csv": EMPTY_POLICY}).items():
            self.write_policy(text, name)
        self.configure(settings or {})

    # What the administrator edits.

    def write_tokens(self, text: str) -> None:
        """Replace the table of static tokens, as an editor does: whole."""
        _replace(self.folder / "tokens.csv", text)

    def write_policy(self, text: str, name: str = "policy.csv") -> None:
        """Replace one file of the policy, whole."""
        _replace(self.folder / "policy" / name, text)

    def configure(self, settings: Settings) -> None:
        """Write the configuration: the usual one, with these settings merged in."""
        merged = _merged(self._usual_settings(), settings)
        # Under Granian nobody connects without a certificate.
        granian = merged["server"].get("engine") == "Granian"
        self._everybodys = self.api_server if granian else None
        _replace(self.config, yaml.safe_dump(merged))

    def _usual_settings(self) -> dict[str, Any]:
        tokens = {
            "name": "tokens",
            "type": "StaticTokens",
            "staticTokens": {"file": "tokens.csv"},
        }
        return {
            "apiVersion": "config.authsvc.io/v1alpha1",
            "kind": "AuthsvcConfiguration",
            "server": {
                "bind": f"127.0.0.1:{self.port}",
                "tls": {
                    "certFile": "pki/server.crt",
                    "keyFile": "pki/server.key",
                    "clientCAFile": "pki/ca.crt",
                    "allowedClientNames": [CLIENT_NAME],
                },
                "workers": 1,
            },
            "authentication": {"authenticators": [tokens]},
            "authorization": {"policy": {"folder": "policy"}},
        }

    # What the API server does.

    def connect(self, identity: KeyPair | None = None, *, port: int = 0) -> https.Connection:
        """Open a connection with TLS, with a client certificate when one is given."""
        return https.connect(port or self.port, trust=self.ca, identity=identity)

    def connect_as_api_server(self) -> https.Connection:
        """Open a connection with the API server's client certificate."""
        return self.connect(self.api_server)

    def get(self, path: str) -> https.Answer:
        """Get something that is for everybody, such as /readyz."""
        with self.connect(self._everybodys) as connection:
            return connection.request("GET", path)

    def post(self, path: str, body: object) -> https.Answer:
        """Post as the API server, on a connection of its own."""
        with self.connect_as_api_server() as connection:
            return connection.post(path, body)

    def authenticate(self, token: str, audiences: Sequence[str] = ()) -> dict[str, Any]:
        """Return the status of a TokenReview."""
        return _status(self.post("/authenticate", token_review(token, audiences)))

    def authorize(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return the status of a SubjectAccessReview."""
        return _status(self.post("/authorize", access_review(spec)))

    # The process.

    @property
    def pid(self) -> int:
        """The master's process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What the service wrote to stderr: its own log."""
        return self._log.read_text()

    @property
    def decisions(self) -> list[dict[str, Any]]:
        """The decisions that it wrote to stdout."""
        return [json.loads(line) for line in self.decision_log.read_text().splitlines()]

    def start(self, *, pass_fds: Sequence[int] = ()) -> None:
        """Start and wait until it is ready."""
        environment = {**os.environ, "AUTHSVC_CONFIG": str(self.config)}
        with self._log.open("ab") as log, self.decision_log.open("ab") as decisions:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder.parent,
                env=environment,
                stdout=decisions,
                stderr=log,
                pass_fds=pass_fds,
            )
        eventually(self._is_ready, "the service is ready", 60)

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the service ended: {self.log}"
        try:
            return self.get("/readyz").status == 200
        except ConnectionRefusedError:
            return False

    def signal(self, number: signal.Signals) -> None:
        """Send the master a signal."""
        self._is_told_to_stop |= number in {signal.SIGTERM, signal.SIGINT}
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        assert self._process is not None
        return self._process.wait(timeout=30)

    def stop(self) -> None:
        """Stop as systemd and Kubernetes do, and look at what is left behind."""
        if self._process is None:
            return
        if self._process.poll() is None and not self._is_told_to_stop:
            self._process.terminate()
        try:
            code = self.wait()
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process = None
        assert code == 0, self.log
        assert "Traceback" not in self.log, self.log
        assert "Traceback" not in self.decision_log.read_text()


StartAuthsvc = Callable[..., AuthsvcServer]


def token_review(
    token: object, audiences: Sequence[str] = (), version: str = "v1"
) -> dict[str, Any]:
    """Return a TokenReview."""
    spec = {"token": token, **({"audiences": list(audiences)} if audiences else {})}
    return {
        "apiVersion": f"authentication.k8s.io/{version}",
        "kind": "TokenReview",
        "spec": spec,
    }


def access_review(spec: object, version: str = "v1") -> dict[str, Any]:
    """Return a SubjectAccessReview."""
    return {
        "apiVersion": f"authorization.k8s.io/{version}",
        "kind": "SubjectAccessReview",
        "spec": spec,
    }


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _replace(path: Path, text: str) -> None:
    scratch = path.with_name(f".{path.name}.{time.monotonic_ns()}")
    scratch.write_text(text)
    scratch.replace(path)


def _merged(base: dict[str, Any], changes: Settings) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _status(answer: https.Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.text
    status: dict[str, Any] = answer.json()["status"]
    return status


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[AuthsvcServer]:
    """Run a service in a folder; what it leaves behind is judged at the end."""
    server = AuthsvcServer(folder, **options)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def start_authsvc(tmp_path: Path) -> Iterator[StartAuthsvc]:
    """Return a function that starts a service; all are stopped, and judged, after the test."""
    with ExitStack() as stack:

        def start(**options: Any) -> AuthsvcServer:
            folder = Path(tempfile.mkdtemp(prefix="authsvc-", dir=tmp_path))
            return stack.enter_context(running(folder, **options))

        yield start
