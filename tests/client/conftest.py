"""A person with a home, a kubeconfig, the real kubectl, and the servers they talk to."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from authsvc.client import sessions
from authsvc.client.request import GROUP, read
from tests.client.servers import APIServer, Issuer
from tests.parts.certificates import Authority
from tests.parts.openid_provider import OpenIDProvider
from tests.parts.terminal import Terminal


@dataclass(frozen=True)
class Certificates:
    """Files: the CA's certificate, and a certificate of 127.0.0.1 with its key."""

    authority: Path
    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    authority = Authority(tmp_path_factory.mktemp("client-certificates"))
    server = authority.issue("server", "127.0.0.1")
    return Certificates(authority.certificate, server.certificate, server.key)


@pytest.fixture
def issuer(certificates: Certificates) -> Iterator[Issuer]:
    with Issuer(certificates.certificate, certificates.key) as server:
        yield server


@pytest.fixture
def api_server(certificates: Certificates) -> Iterator[APIServer]:
    with APIServer(certificates.certificate, certificates.key) as server:
        yield server


@pytest.fixture(scope="session")
def tls_provider(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenIDProvider]:
    """The real OpenID provider, over TLS: the plugin speaks to no other."""
    tls = {"certificate": str(certificates.certificate), "key": str(certificates.key)}
    provider = OpenIDProvider(tmp_path_factory.mktemp("tls-provider"), tls=tls).start()
    yield provider
    provider.stop()


class Person:
    """Somebody with a home of their own, who runs kubectl and the plugin there."""

    def __init__(self, home: Path, authority: Path) -> None:
        scripts = sysconfig.get_path("scripts")
        if not Path(scripts, "kubectl-authsvc").is_file():
            pytest.fail("kubectl-authsvc is missing: pip install -e .")
        self.authority = authority
        self.home = home
        self.state = home / ".local" / "state" / "kubectl-authsvc"
        self.environment = {
            "HOME": str(home),
            "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
            "LANG": "C.UTF-8",
        }

    def kubeconfig(
        self, server: str, *settings: str, extension: Mapping[str, Any] | None = None, **exec_: Any
    ) -> None:
        """Write a kubeconfig whose user logs in with the plugin and these settings."""
        plugin = {
            "apiVersion": f"{GROUP}/v1",
            "command": "kubectl-authsvc",
            "args": ["get-token", *settings],
            "interactiveMode": "IfAvailable",
            "provideClusterInfo": True,
            **exec_,
        }
        cluster: dict[str, Any] = {"server": server, "certificate-authority": str(self.authority)}
        if extension is not None:
            cluster["extensions"] = [{"name": f"{GROUP}/exec", "extension": extension}]
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "alice", "user": {"exec": plugin}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "alice"}}],
            "current-context": "test",
        }
        file = self.home / ".kube" / "config"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(config))

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a program without a terminal, in a session of its own as a daemon would."""
        return subprocess.run(
            command,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )

    def kubectl(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("kubectl", *arguments, **environment)

    def get_token(self, *settings: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the plugin as kubectl does where nobody can be asked."""
        environment.setdefault("KUBERNETES_EXEC_INFO", exec_info(interactive=False))
        return self.run("kubectl-authsvc", "get-token", *settings, **environment)

    def terminal(self, *command: str, **environment: str) -> Terminal:
        """Run a program on a terminal."""
        return Terminal(command, {**self.environment, **environment})

    def session_file(self, *settings: str) -> Path:
        """Where the session of these settings is kept, for a plugin without cluster info."""
        return Path(sessions.path(read(settings, {}).key, self.environment))

    def keep(self, settings: tuple[str, ...], **session: Any) -> Path:
        """Keep a session as if from an earlier login; return its file."""
        file = self.session_file(*settings)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        whole = {"key": read(settings, {}).key, "token": "kept-token", "kind": "access_token"}
        whole |= {"subject": "alice", "username": "alice", "token_endpoint": ""}
        file.write_text(json.dumps(whole | session))
        file.chmod(0o600)
        return file


def exec_info(version: str = f"{GROUP}/v1", **spec: Any) -> str:
    """What kubectl puts into KUBERNETES_EXEC_INFO."""
    return json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": spec})


@pytest.fixture
def alice(tmp_path: Path, certificates: Certificates) -> Person:
    return Person(tmp_path, certificates.authority)


@pytest.fixture
def logged_in(alice: Person, issuer: Issuer, api_server: APIServer) -> tuple[str, ...]:
    """A kubeconfig, and a session that is good."""
    settings = (
        f"--issuer={issuer.url}",
        f"--certificate-authority={alice.authority}",
        "--keyring=never",
    )
    alice.kubeconfig(api_server.url, *settings, provideClusterInfo=False)
    issuer.refresh_tokens.add("refresh-0")
    now = time.time()
    alice.keep(
        settings,
        obtained_at=now,
        good_until=now + 600,
        refresh_token="refresh-0",
        revocation_endpoint=f"{issuer.url}/revoke",
    )
    return settings
