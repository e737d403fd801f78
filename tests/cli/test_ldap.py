"""``authsvc ldap check``: what worked, what came back, what to change."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.parts.faulty_proxy import Fault, FaultyProxy
from tests.parts.ldap_authority import LDAPAuthority
from tests.parts.ldap_people import BASE, GROUPS, PASSWORDS, PEOPLE, SERVICE, SERVICE_PASSWORD
from tests.parts.slapd import Slapd, free_port

Check = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def check(slapd: Slapd, ldap_authority: LDAPAuthority, tmp_path: Path) -> Check:
    """Give a function that checks the test directory with some settings changed."""
    (tmp_path / "password").write_text(SERVICE_PASSWORD)
    ldap: dict[str, Any] = {
        "preset": "OpenLDAP",
        "baseDN": BASE,
        "servers": [f"ldaps://127.0.0.1:{slapd.tls_port}"],
        "tls": {"caFile": str(ldap_authority.certificate)},
        "bind": {"dn": SERVICE, "passwordFile": "password"},
        "groups": {"search": [{"base": GROUPS, "name": "dn"}]},
    }

    def run(*options: str, stdin: str = "", **changes: Any) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "authsvc.yaml"
        document = {
            "apiVersion": "config.authsvc.io/v1alpha1",
            "kind": "AuthsvcConfiguration",
            "server": {"workers": 1},
            "authentication": {
                "authenticators": [{"name": "corp", "type": "LDAP", "ldap": ldap | changes}]
            },
        }
        file.write_text(yaml.safe_dump(document))
        done = subprocess.run(
            [sys.executable, "-m", "authsvc", "ldap", "check", "--config", str(file), *options],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,  # without a terminal, a password is read from stdin
        )
        assert "Traceback" not in done.stderr
        told = done.stdout + done.stderr
        assert SERVICE_PASSWORD not in told
        assert PASSWORDS["alice"] not in told
        return done

    return run


def test_each_step_is_told_with_what_came_back(check: Check, slapd: Slapd) -> None:
    second = f"ldap://127.0.0.1:{slapd.port}"
    servers = [f"ldaps://127.0.0.1:{slapd.tls_port}", second]

    done = check("--user", "alice", "--password", stdin=PASSWORDS["alice"] + "\n", servers=servers)

    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("corp")] == [
        f"corp  {url}" for url in servers
    ]
    steps = [line.split()[1] for line in lines if line.startswith("  ok")]
    first = [
        *("resolve", "connect", "TLS", "bind", "search", "groups"),
        *("user", "password", "status", "member", "answer"),
    ]
    assert steps == first + [step for step in first if step != "password"]
    assert f"uid=alice,{PEOPLE}" in done.stdout
    assert f"'cn=dev,{GROUPS}'" in done.stdout
    assert "TLSv1.3, certificate good until" in done.stdout
    assert "username 'alice'" in done.stdout


def test_a_wrong_password_is_tried_at_one_server_alone(
    check: Check, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxies = [faulty_proxy(slapd.port), faulty_proxy(slapd.port)]
    servers = [f"ldap://127.0.0.1:{proxy.port}" for proxy in proxies]

    done = check(
        *("--user", "alice", "--password"), stdin="wrong\n", servers=servers, insecure=True
    )

    assert done.returncode == 1
    assert "FAIL  password" in done.stdout
    assert "passwords are sent in the clear" in done.stdout
    # The walk's own bind, the service's bind to search, and alice's.
    assert [proxy.requests["bind"] for proxy in proxies] == [3, 2]


@pytest.mark.parametrize(
    ("user", "step", "said"),
    [
        ("nosuchuser", "user", "no entry matches this user name"),
        ("twin", "user", "more than one entry"),
        ("locked", "status", "closed: locked (pwdAccountLockedTime)"),
        ("expired", "status", "closed: expired (shadowExpire)"),
    ],
)
def test_a_user_who_cannot_log_in_is_told_why(
    check: Check, user: str, step: str, said: str
) -> None:
    done = check("--user", user)

    assert done.returncode == 1
    assert f"FAIL  {step}" in done.stdout
    assert said in done.stdout


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "name": ({"servers": ["ldaps://ldap.invalid"]}, "resolve", "check the server's name"),
    "port": ({"servers": [f"ldaps://127.0.0.1:{free_port()}"]}, "connect", "nothing listens"),
    "authority": ({"tls": {}}, "TLS", "set tls.caFile"),
    "account": (
        {"bind": {"dn": f"cn=nobody,{BASE}", "passwordFile": "password"}},
        "bind",
        "check bind.dn",
    ),
    "users": ({"users": {"base": f"ou=x,{BASE}"}}, "search", "the base does not exist"),
    "filter": ({"users": {"filter": "(mobile={username})"}}, "search", "check base and filter"),
    "groups": ({"groups": {"search": [{"filter": "(cn=x)"}]}}, "groups", "check base and filter"),
    "names": ({"groups": {"search": [{"name": "description"}]}}, "groups", "map another"),
    "twice": ({"groups": {"search": [{"name": "cn"}]}}, "groups", "set name: dn"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_at_its_step_with_what_to_change(check: Check, fault: str) -> None:
    changes, step, advice = FAULTS[fault]

    done = check(**changes)

    assert done.returncode == 1
    failed = [line for line in done.stdout.splitlines() if "FAIL" in line]
    assert [line.split()[1] for line in failed] == [step]
    assert f"→ {advice}" in done.stdout


def test_a_fault_is_told_at_its_step_whatever_it_quotes(check: Check) -> None:
    done = check(groups={"search": [{"base": "TLS has no address"}]})
    failed = [line for line in done.stdout.splitlines() if "FAIL" in line]
    assert [line.split()[1] for line in failed] == ["groups"]
    assert "TLS has no address" in failed[0]
    assert "→" not in done.stdout


@pytest.mark.parametrize(("fault", "step"), [(Fault.HANG, "TLS"), (Fault.RESET_IN_ANSWER, "TLS")])
def test_a_server_in_trouble_is_told_in_time(
    check: Check,
    faulty_proxy: Callable[..., FaultyProxy],
    slapd: Slapd,
    fault: Fault,
    step: str,
) -> None:
    proxy = faulty_proxy(slapd.tls_port)
    proxy.fault = fault

    done = check(servers=[f"ldaps://127.0.0.1:{proxy.port}"], deadline="500ms")

    assert done.returncode == 1
    assert f"FAIL  {step}" in done.stdout


def test_another_protocol_on_the_port_is_told(check: Check, slapd: Slapd) -> None:
    done = check(servers=[f"ldaps://127.0.0.1:{slapd.port}"], deadline="1s")

    assert "FAIL  TLS" in done.stdout


def test_a_certificate_for_another_host_is_told(
    check: Check,
    faulty_proxy: Callable[..., FaultyProxy],
    ldap_authority: LDAPAuthority,
    slapd: Slapd,
) -> None:
    proxy = faulty_proxy(slapd.port, ldap_authority.elsewhere)

    done = check(servers=[f"ldaps://localhost:{proxy.port}"])

    assert "→ name the server as its certificate does" in done.stdout


def test_an_authenticator_that_is_not_there_is_told(check: Check) -> None:
    done = check("--name", "other")

    assert done.returncode == 1
    assert "no authenticator of type LDAP other" in done.stderr
