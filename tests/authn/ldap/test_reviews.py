"""The whole service in front of a directory: what an API server reads."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from authsvc.issuer.rotation import rotate
from tests.authn.ldap.conftest import until
from tests.parts.authsvc_server import AuthsvcServer, StartAuthsvc, token_review
from tests.parts.faulty_proxy import Fault, FaultyProxy
from tests.parts.ldap_people import (
    BASE,
    CROWD_PASSWORD,
    GROUPS,
    PASSWORDS,
    PEOPLE,
    SERVICE,
    SERVICE_PASSWORD,
    person,
)
from tests.parts.slapd import Slapd

StartLDAP = Callable[..., AuthsvcServer]


def token(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


@pytest.fixture
def proxy(faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd) -> FaultyProxy:
    return faulty_proxy(slapd.port)


@pytest.fixture
def start_with_ldap(start_authsvc: StartAuthsvc, proxy: FaultyProxy, tmp_path: Path) -> StartLDAP:
    """Give a function that starts the service in front of the test directory."""
    password_file = tmp_path / "service-password"
    password_file.write_text(SERVICE_PASSWORD)

    def start(workers: int = 1, issuer: dict[str, Any] | None = None, **ldap: Any) -> AuthsvcServer:
        directory = {
            "preset": "OpenLDAP",
            "baseDN": BASE,
            "servers": [f"ldap://127.0.0.1:{proxy.port}"],
            "insecure": True,
            "bind": {"dn": SERVICE, "passwordFile": str(password_file)},
            "users": {"base": PEOPLE},
            "groups": {"search": [{"base": GROUPS, "name": "dn"}]},
            "deadline": "2s",
            "passwordTokens": True,
            **ldap,
        }
        issued = [{"name": "issued", "type": "Issued"}] if issuer else []
        return start_authsvc(
            settings={
                **({"issuer": issuer} if issuer else {}),
                "server": {"workers": workers},
                "store": {"type": "SQLite", "sqlite": {"file": str(tmp_path / "attempts.db")}},
                "authentication": {
                    "cache": {"ttl": "60s" if not issuer else "0s"},
                    "authenticators": [
                        *issued,
                        {"name": "corp", "type": "LDAP", "ldap": directory},
                    ],
                },
            }
        )

    return start


def test_the_answers_are_the_user_nobody_or_an_error(
    start_with_ldap: StartLDAP, proxy: FaultyProxy, slapd: Slapd
) -> None:
    server = start_with_ldap()
    nobody = [
        token("bob", "wrong"),
        token("nosuchuser", "x"),
        token("nopassword", "x"),
        token("locked", PASSWORDS["locked"]),
        token("bob", ""),
        token("a*", PASSWORDS["alice"]),
    ]

    good = server.authenticate(token("bob", PASSWORDS["bob"]))
    bodies = {server.post("/authenticate", token_review(each)).body for each in nobody}
    proxy.fault = Fault.REFUSE
    proxy.cut()
    unanswered = server.authenticate(token("judy", PASSWORDS["judy"]))
    proxy.fault = Fault.NONE
    answered = server.authenticate(token("judy", PASSWORDS["judy"]))

    assert good["authenticated"]
    assert good["user"]["username"] == "bob"
    assert good["user"]["groups"] == [f"cn=admins,{GROUPS}"]
    (body,) = bodies
    assert json.loads(body)["status"] == {"authenticated": False}
    assert not unanswered["authenticated"]
    assert "user" not in unanswered
    assert str(slapd.port) not in unanswered["error"]
    assert str(proxy.port) not in unanswered["error"]
    assert answered["authenticated"]


def test_equal_tokens_at_once_are_one_bind_and_then_none(
    start_with_ldap: StartLDAP, proxy: FaultyProxy
) -> None:
    server = start_with_ldap()
    assert server.authenticate(token("judy", PASSWORDS["judy"]))["authenticated"]
    proxy.forget()

    with ThreadPoolExecutor(25) as threads:
        answers = list(
            threads.map(lambda _: server.authenticate(token("bob", PASSWORDS["bob"])), range(50))
        )

    assert all(answer["authenticated"] for answer in answers)
    assert proxy.requests["bind"] == 1


def test_guesses_are_counted_by_all_workers_as_one(start_with_ldap: StartLDAP) -> None:
    server = start_with_ldap(workers=2)
    guesses = [token("u0200", f"guess {number}") for number in range(30)]

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(server.authenticate, guesses))

    kinds = Counter("error" if answer.get("error") else "nobody" for answer in answers)
    assert kinds == {"nobody": 3, "error": 27}
    assert "password_attempts_refused" in server.log
    assert "guess 2" not in server.log


def test_a_token_from_a_login_follows_the_directory(
    start_with_ldap: StartLDAP, slapd: Slapd, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    rotate(keys, algorithm="ES256", activate_in=0, overlap=60, now=time.time())
    issuer = {
        "url": "https://127.0.0.1",
        "keys": str(keys),
        "passwords": ["corp"],
        "directory": {"ttl": "100ms"},
    }
    server = start_with_ldap(issuer=issuer, passwordTokens=False)
    login = {
        "client_id": "kubectl-authsvc",
        "grant_type": "password",
        "username": "u0300",
        "password": CROWD_PASSWORD,
    }
    body = urlencode(login).encode()
    form = (
        ("Host", "127.0.0.1"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", str(len(body))),
    )
    with server.connect() as connection:
        answer = connection.request("POST", "/oauth2/token", body, form)
    assert answer.status == 200, answer.text
    access_token = answer.json()["access_token"]
    user = f"dn: {person('u0300')}\nchangetype: modify\n"

    before = server.authenticate(access_token)
    slapd.modify(
        user + "add: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n", relax=True
    )
    closed = until(lambda: not server.authenticate(access_token)["authenticated"])
    slapd.modify(user + "delete: pwdAccountLockedTime\n", relax=True)

    assert before["user"]["username"] == "u0300"
    assert len(before["user"]["groups"]) > 1
    assert closed
    assert not server.authenticate(token("u0300", CROWD_PASSWORD))["authenticated"]
