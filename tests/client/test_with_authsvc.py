"""The whole way with the real parts: slapd's password, authsvc's token, kubectl's request.

The API server is the tests' own, but decides nothing itself: it asks authsvc by
TokenReview and SubjectAccessReview, as a real one does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from authsvc.issuer.rotation import rotate
from authsvc.issuer.settings import IssuerSettings
from tests.client.conftest import Certificates, Person
from tests.client.servers import Answer, APIServer, Asked
from tests.parts import ldap_people
from tests.parts.authsvc_server import AuthsvcServer
from tests.parts.ldap_authority import LDAPAuthority
from tests.parts.slapd import Slapd

POLICY = "p, role:reader, default, pods, *, get|list, allow\ng, user:alice, role:reader, default\n"


class AskingAPIServer(APIServer):
    """An API server that asks authsvc who somebody is and what they may."""

    authsvc: AuthsvcServer

    def answer(self, asked: Asked) -> Answer:
        review = self.authsvc.authenticate(asked.authorization.removeprefix("Bearer "))
        self.user = review.get("user", {})
        self.knows = lambda _: review["authenticated"]
        return super().answer(asked)

    def _review(self, review: dict[str, Any]) -> dict[str, Any]:
        if review["kind"] == "SelfSubjectReview":
            return {**review, "status": {"userInfo": self.user}}
        spec = {**review["spec"], "user": self.user["username"], "groups": self.user["groups"]}
        return {**review, "status": self.authsvc.authorize(spec)}


@pytest.fixture
def authsvc_server(
    tmp_path: Path, slapd: Slapd, ldap_authority: LDAPAuthority
) -> Iterator[AuthsvcServer]:
    folder = tmp_path / "authsvc"
    folder.mkdir()
    server = AuthsvcServer(folder, policy={"team.csv": POLICY})
    (folder / "ldap-password").write_text(ldap_people.SERVICE_PASSWORD)
    (folder / "ldap-password").chmod(0o600)
    ldap = {
        "preset": "OpenLDAP",
        "baseDN": ldap_people.BASE,
        "servers": [f"ldaps://127.0.0.1:{slapd.tls_port}"],
        "tls": {"caFile": str(ldap_authority.certificate)},
        "groups": {"search": [{"name": "dn"}]},  # two of alice's have the same cn
        "bind": {"dn": ldap_people.SERVICE, "passwordFile": "ldap-password"},
    }
    settings = IssuerSettings(f"https://127.0.0.1:{server.port}", folder / "keys")
    rotate(
        settings.keys,
        algorithm="ES256",
        activate_in=0,
        overlap=settings.key_overlap,
        now=time.time(),
    )
    server.configure(
        {
            "authentication": {
                "authenticators": [
                    {"name": "corp", "type": "LDAP", "ldap": ldap},
                    {"name": "issued", "type": "Issued"},
                ]
            },
            "store": {"type": "SQLite", "sqlite": {"file": "sessions.db"}},
            "issuer": {"url": settings.url, "keys": "keys", "passwords": ["corp"]},
        }
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture
def api_server(
    certificates: Certificates, authsvc_server: AuthsvcServer
) -> Iterator[AskingAPIServer]:
    with AskingAPIServer(certificates.certificate, certificates.key) as server:
        server.authsvc = authsvc_server
        yield server


@pytest.fixture
def askpass(alice: Person) -> Path:
    program = alice.home / "askpass"
    program.write_text(f"#!/bin/sh\necho '{ldap_people.PASSWORDS['alice']}'\n")
    program.chmod(0o755)
    return program


def _set_up(alice: Person, authsvc_server: AuthsvcServer, api_server: APIServer) -> None:
    alice.kubeconfig(api_server.url)
    done = alice.kubectl(
        "authsvc",
        "setup",
        f"--issuer=https://127.0.0.1:{authsvc_server.port}",
        f"--certificate-authority={authsvc_server.ca}",
        "--context=work",
    )
    assert done.returncode == 0, done.stderr


def test_a_fresh_user_logs_in_with_an_ldap_password_and_lists_pods(
    alice: Person, authsvc_server: AuthsvcServer, api_server: APIServer
) -> None:
    _set_up(alice, authsvc_server, api_server)

    with alice.terminal("kubectl", "authsvc", "login") as terminal:
        terminal.wait_for("User name at")
        terminal.press("alice\n")
        terminal.wait_for("Password of alice at")
        terminal.wait_for_echo(shown=False)
        terminal.press(f"{ldap_people.PASSWORDS['alice']}\n")
        assert terminal.wait() == 0
        assert "Logged in as alice." in terminal.screen

    assert alice.kubectl("get", "pods", "-o", "name").stdout == "pod/web-0\n"
    assert "Username:  alice" in alice.kubectl("authsvc", "whoami").stdout
    why = alice.kubectl("authsvc", "can-i", "list", "pods", "--explain")
    assert why.stdout.startswith("yes\n")
    assert "team.csv:1" in why.stdout


def test_a_session_is_refreshed_and_ends_at_the_logout(
    alice: Person, authsvc_server: AuthsvcServer, api_server: APIServer, askpass: Path
) -> None:
    _set_up(alice, authsvc_server, api_server)
    login = alice.kubectl("authsvc", "login", "--username=alice", AUTHSVC_ASKPASS=str(askpass))
    assert login.returncode == 0, login.stderr
    (file,) = alice.state.glob("*.json")
    first = json.loads(file.read_text())
    file.write_text(json.dumps({**first, "good_until": 0}))

    assert alice.kubectl("get", "pods", "-o", "name").stdout == "pod/web-0\n"
    kept = file.read_bytes()
    assert json.loads(kept)["token"] != first["token"]

    assert alice.kubectl("authsvc", "logout").stderr == "Logged out.\n"
    file.write_text(json.dumps({**json.loads(kept), "good_until": 0}))  # somebody's copy
    file.chmod(0o600)
    after = alice.kubectl("get", "pods")
    assert after.stdout == ""
    assert "has ended (invalid_grant" in after.stderr


def test_a_wrong_password_is_a_clear_error(
    alice: Person, authsvc_server: AuthsvcServer, api_server: APIServer, askpass: Path
) -> None:
    _set_up(alice, authsvc_server, api_server)

    done = alice.kubectl("authsvc", "login", "--username=bob", AUTHSVC_ASKPASS=str(askpass))

    assert done.returncode == 1
    assert "did not accept the user name and password" in done.stderr
    assert ldap_people.PASSWORDS["alice"] not in done.stderr
