"""A real API server that verifies issued tokens by itself, by discovery and the published keys."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import run_api_server, run_etcd
from tests.parts.login_server import LoginServer
from tests.parts.waiting import eventually

pytestmark = pytest.mark.e2e


def _authentication(service: LoginServer) -> dict[str, Any]:
    """Return the configuration of config/login/README.md, with a prefix to tell who verified."""
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [
            {
                "issuer": {
                    "url": f"https://127.0.0.1:{service.server.port}",
                    "audiences": ["kubernetes"],
                    "certificateAuthority": service.server.ca.read_text(),
                },
                "claimMappings": {
                    "username": {"claim": "sub", "prefix": "itself:"},
                    "groups": {"claim": "groups", "prefix": ""},
                    "uid": {"claim": "uid"},
                },
            }
        ],
    }


@pytest.fixture
def service(tmp_path: Path) -> Iterator[LoginServer]:
    (tmp_path / "service").mkdir()
    service = LoginServer(tmp_path / "service")
    yield service
    service.server.stop()


@pytest.fixture
def api_server(assets: Path, tmp_path: Path, service: LoginServer) -> Iterator[str]:
    configuration = tmp_path / "authentication.json"
    configuration.write_text(json.dumps(_authentication(service)))
    extra = {"authentication-config": configuration}
    with (
        run_etcd(assets, tmp_path) as etcd,
        run_api_server(assets, tmp_path, etcd, service.server.folder, extra) as url,
    ):
        yield url


def _who_am_i(kubectl: Path, url: str, token: str) -> dict[str, Any]:
    done = subprocess.run(
        [
            *(kubectl, "--kubeconfig", os.devnull, "--server", url, "--token", token),
            *("--insecure-skip-tls-verify", "auth", "whoami", "-o", "json"),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return {"error": done.stderr}
    user: dict[str, Any] = json.loads(done.stdout)["status"]["userInfo"]
    return user


def test_an_api_server_verifies_issued_tokens_by_itself_and_follows_a_rotation(
    service: LoginServer, api_server: str, kubectl: Path
) -> None:
    before = service.log_in().json()["access_token"]
    eventually(  # it fetches the keys after it is ready
        lambda: _who_am_i(kubectl, api_server, before).get("username") == "itself:alice",
        "the API server verifies a token",
        60,
    )
    user = _who_am_i(kubectl, api_server, before)
    assert user["uid"] == "1001"
    assert user["groups"] == ["ops", "team-a", "system:authenticated"]

    assert service.command("keys", "rotate", "--activate-in", "0s").returncode == 0
    eventually(lambda: _key_of(service) != _key_of(service, before), "the new key signs", 30)

    after = service.log_in().json()["access_token"]
    eventually(  # it looks for new keys when those it has are as old as they may be
        lambda: _who_am_i(kubectl, api_server, after).get("username") == "itself:alice",
        "the API server knows the new key",
        90,
    )
    assert _who_am_i(kubectl, api_server, before)["username"] == "itself:alice"


def _key_of(service: LoginServer, token: str = "") -> str:
    """Return the header of a token, which names its key; of a new one where none is given."""
    token = token or service.log_in().json()["access_token"]
    return token.partition(".")[0]
