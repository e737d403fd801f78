"""The folder of the demo: what `authsvc init` writes, and an example company in it."""

from __future__ import annotations

import json
import secrets
import socket
import time
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from authsvc.authn.passwords import hash_password
from authsvc.authn.static import hash_token
from authsvc.bootstrap.files import write_file
from authsvc.bootstrap.initialise import initialise
from authsvc.bootstrap.site import DEFAULT_PORT, LOOPBACK_HOST, Wanted
from authsvc.demo import example
from authsvc.errors import AuthsvcError
from authsvc.issuer.rotation import rotate


class DemoError(AuthsvcError):
    """The demo can not go on."""


class Secrets(NamedTuple):
    """What the people of the example have; made for this run alone."""

    alice: str
    bob: str
    password: str


class DemoFolder(NamedTuple):
    """Where everything is."""

    path: Path
    port: int
    secrets: Secrets

    @property
    def url(self) -> str:
        """The service."""
        return f"https://{LOOPBACK_HOST}:{self.port}"

    @property
    def ca(self) -> Path:
        """What its certificate is trusted by."""
        return self.path / "pki" / "ca.crt"


def write(path: Path) -> DemoFolder:
    """Fill a fresh folder.

    Raises:
        DemoError: it is not fresh, or no port is free.
        ConfigError: it can not be written.
    """
    path.mkdir(parents=True, exist_ok=True)
    if any(path.iterdir()):
        raise DemoError(f"{path}: not empty; the demo wants a fresh folder")
    made = Secrets(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(9))
    demo = DemoFolder(path, _free_port(), made)
    initialise(path, Wanted(hosts=(LOOPBACK_HOST,), port=demo.port))
    for starter in (path / "policy").glob("*.csv"):
        starter.unlink()
    template = (resources.files(__package__) / "authsvc.yaml").read_text(encoding="utf-8")
    hashed = hash_password(made.password)
    files = {
        "authsvc.yaml": template.replace("{port}", str(demo.port)),
        "policy/company.csv": example.POLICY,
        "tokens.csv": example.TOKENS.format(alice=_hashed(made.alice), bob=_hashed(made.bob)),
        "passwords": f'alice:{hashed}:1001:"interns,team-a"\n',
        "who.json": _pretty(example.token_review(made.alice)),
        "may.json": _pretty(example.access_questions()[2].review),
        "kubeconfig": _kubeconfig(),
    }
    for name, text in files.items():
        write_file(path / name, text, 0o600)
    rotate(path / "keys", algorithm="ES256", activate_in=0.0, overlap=86400.0, now=time.time())
    return demo


def _hashed(token: str) -> str:
    return f"sha256:{hash_token(token).hex()}"


def _pretty(review: object) -> str:
    return json.dumps(review, indent=2) + "\n"


def _kubeconfig() -> str:
    """Return a kubeconfig of a cluster that is not there: to log in, none is needed."""
    cluster = {"name": "demo", "cluster": {"server": f"https://{LOOPBACK_HOST}:6443"}}
    return _pretty({"apiVersion": "v1", "kind": "Config", "clusters": [cluster]})


def _free_port() -> int:
    """Return the usual port where it is free, else any."""
    for port in (DEFAULT_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK_HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoError("no free port on loopback")
