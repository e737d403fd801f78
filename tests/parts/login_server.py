"""The service with an issuer, as its users run it: two workers, a table of passwords.

``login_server`` starts one; what people and administrators do with it are methods.
"""

from __future__ import annotations

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

SQLITE = {"type": "SQLite", "sqlite": {"file": "sessions.db"}}


class LoginServer:
    """A service of two workers that people can log in to."""

    def __init__(self, folder: Path, store: dict[str, Any] | None = None, ttl: str = "1s") -> None:
        self.server = AuthsvcServer(folder, tokens="canary-static,robot,9,ci\n")
        self.people({"alice": "team-a,ops"})
        self.server.configure(_settings(self.server.port, store or SQLITE, ttl))
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


def _settings(port: int, store: dict[str, Any], ttl: str) -> dict[str, Any]:
    return {
        "server": {"workers": 2},
        "store": store,
        "issuer": {
            "url": f"https://127.0.0.1:{port}",
            "keys": "keys",
            "passwords": ["people"],
            "exchange": ["tokens"],
            "directory": {"ttl": ttl},
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
            "cache": {"ttl": ttl, "rejectedTTL": "1s"},
        },
        "logging": {"level": "debug"},
    }


StartLogin = Callable[..., LoginServer]


@pytest.fixture
def start_login(tmp_path: Path) -> Iterator[StartLogin]:
    """Start services that people can log in to; all are stopped, and judged, at the end."""
    with ExitStack() as stack:

        def start(store: dict[str, Any] | None = None, ttl: str = "1s") -> LoginServer:
            service = LoginServer(tmp_path / "service", store, ttl)
            stack.callback(service.server.stop)
            return service

        (tmp_path / "service").mkdir()
        yield start
