"""A login, from the password to the review, against the service as its users run it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.parts import https
from tests.parts.authsvc_server import AuthsvcServer
from tests.parts.issuer import PASSWORD, cheap_hash
from tests.parts.redis import RedisServer
from tests.parts.waiting import eventually

SQLITE = {"type": "SQLite", "sqlite": {"file": "sessions.db"}}
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


class LoginServer:
    """A service of two workers that people can log in to."""

    def __init__(self, folder: Path, store: dict[str, Any]) -> None:
        self.server = AuthsvcServer(folder, tokens="canary-static,robot,9,ci\n")
        self.people({"alice": "team-a,ops"})
        self.server.configure(_settings(self.server.port, store))
        assert self.command("keys", "rotate").returncode == 0
        self.server.start()

    def people(self, groups: dict[str, str]) -> None:
        """Write the table of passwords; everybody has the same one."""
        rows = [f'{name}:{cheap_hash(PASSWORD)}:1001:"{of}"\n' for name, of in groups.items()]
        scratch = self.server.folder / ".passwords"
        scratch.write_text("".join(rows) or "# nobody\n")
        scratch.replace(self.server.folder / "passwords")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run an authsvc command beside the service."""
        return subprocess.run(
            [sys.executable, "-m", "authsvc", *arguments, "--config", str(self.server.config)],
            check=False,
            capture_output=True,
            text=True,
        )

    def ask(self, path: str = "/oauth2/token", **form: str) -> https.Answer:
        """Post a form, as a client without a certificate."""
        body = urlencode({"client_id": "kubectl-authsvc"} | form).encode()
        headers = [
            ("Host", f"127.0.0.1:{self.server.port}"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Content-Length", str(len(body))),
        ]
        with self.server.connect() as connection:
            return connection.request("POST", path, body, headers)

    def log_in(self, password: str = PASSWORD) -> https.Answer:
        """Log alice in."""
        return self.ask(grant_type="password", username="alice", password=password)

    def groups(self, token: str) -> list[str] | None:
        """Return the groups of a TokenReview, None where the token is nobody's."""
        status = self.server.authenticate(token)
        assert not status.get("error"), status
        return list(status["user"]["groups"]) if status["authenticated"] else None


def _settings(port: int, store: dict[str, Any]) -> dict[str, Any]:
    return {
        "server": {"workers": 2},
        "store": store,
        "issuer": {
            "url": f"https://127.0.0.1:{port}",
            "keys": "keys",
            "passwords": ["people"],
            "exchange": ["tokens"],
            "directory": {"ttl": "1s"},
        },
        "authentication": {
            "authenticators": [
                {"name": "issued", "type": "Issued"},
                {
                    "name": "people",
                    "type": "StaticPasswords",
                    "staticPasswords": {"file": "passwords"},
                },
                {
                    "name": "tokens",
                    "type": "StaticTokens",
                    "staticTokens": {"file": "tokens.csv"},
                },
            ],
            "cache": {"ttl": "1s", "rejectedTTL": "1s"},
        },
        "logging": {"level": "debug"},
    }


StartLogin = Callable[..., LoginServer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartLogin]:
    """Start services that people can log in to; all are stopped, and judged, at the end."""
    with ExitStack() as stack:

        def start(store: dict[str, Any] = SQLITE) -> LoginServer:
            service = LoginServer(tmp_path / "service", store)
            stack.callback(service.server.stop)
            return service

        (tmp_path / "service").mkdir()
        yield start


def test_a_login_is_reviewed_with_the_groups_of_now_and_ends_with_the_user(
    start: StartLogin,
) -> None:
    service = start()

    token = service.log_in().json()["access_token"]
    assert service.groups(token) == ["ops", "team-a"]

    service.people({"alice": "night-shift"})
    eventually(lambda: service.groups(token) == ["night-shift"], "the groups of now", 30)
    service.people({})
    eventually(lambda: service.groups(token) is None, "alice is out", 30)


def test_a_session_is_listed_and_revoked_from_the_command_line(start: StartLogin) -> None:
    service = start()
    tokens = service.log_in().json()

    listed = json.loads(service.command("session", "list", "-o", "json").stdout)
    assert [(each["user"], each["address"]) for each in listed] == [("alice", "127.0.0.1")]
    ended = service.command("session", "revoke", "--user", "alice")

    assert ended.returncode == 0
    refused = service.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    eventually(lambda: service.groups(tokens["access_token"]) is None, "the token is out", 30)


def test_sessions_outlive_a_restart_and_a_rotation_of_keys(start: StartLogin) -> None:
    service = start()
    tokens = service.log_in().json()
    service.server.stop()
    rotated = service.command("keys", "rotate", "--activate-in", "0s", "--algorithm", "EdDSA")
    assert rotated.returncode == 0
    service.server.start()

    refreshed = service.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    assert refreshed.status == 200
    for token in (tokens["access_token"], refreshed.json()["access_token"]):
        assert service.groups(token) == ["ops", "team-a"]


def test_guessing_is_slowed_across_workers(start: StartLogin) -> None:
    service = start()

    answers = [service.log_in("wrong").status for _ in range(6)]

    assert answers == [400, 400, 400, 429, 429, 429]
    assert int(service.log_in().headers["Retry-After"]) <= 30


def test_what_an_api_server_reads_of_the_issuer_is_there_without_a_certificate(
    start: StartLogin,
) -> None:
    service = start()

    document = service.server.get("/.well-known/openid-configuration").json()

    assert document["issuer"] == f"https://127.0.0.1:{service.server.port}"
    path = document["jwks_uri"].removeprefix(document["issuer"])
    assert len(service.server.get(path).json()["keys"]) == 1


def test_redis_goes_away_and_comes_back(start: StartLogin, tmp_path: Path) -> None:
    redis = RedisServer(tmp_path)
    redis.start()
    service = start({"type": "Redis", "redis": {"url": redis.url}})
    tokens = service.log_in().json()
    assert service.groups(tokens["access_token"]) is not None

    redis.stop()
    down = service.log_in()
    still = service.groups(tokens["access_token"])
    redis.start()
    again = service.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    assert (down.status, down.json()["error"]) == (503, "temporarily_unavailable")
    assert still == ["ops", "team-a"]
    assert again.status == 200
    service.server.stop()
    redis.stop()


def test_no_secret_is_in_anything_that_the_service_says(start: StartLogin) -> None:
    service = start()
    tokens = service.log_in().json()
    exchanged = service.ask(
        grant_type=TOKEN_EXCHANGE,
        subject_token="canary-static",
        subject_token_type="urn:ietf:params:oauth:token-type:access_token",
    )
    assert service.groups(exchanged.json()["access_token"]) == ["ci"]
    said = [
        service.log_in("canary-wrong").text,
        service.ask(grant_type="password", username=PASSWORD, password="canary-x").text,
        service.ask("/oauth2/token?password=canary-url", grant_type="password").text,
        service.ask("/oauth2/revoke", token=tokens["refresh_token"]).text,
        service.server.get("/metrics").text,
        service.server.get("/readyz?verbose").text,
    ]

    service.server.stop()
    said += [service.server.log, service.server.decision_log.read_text()]

    assert "session_opened" in service.server.log
    for secret in (
        "canary",
        tokens["refresh_token"],
        tokens["access_token"].rpartition(".")[2],
        exchanged.json()["access_token"].rpartition(".")[2],
    ):
        assert secret not in "".join(said)
