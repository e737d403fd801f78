"""Samba as an Active Directory domain controller, from Debian's packages, on loopback.

It listens on ports 389 and 636 and on no other, so each one is given an address
of its own in 127.0.0.0/8. Provisioning takes some three seconds.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.ldap_authority import LDAPAuthority

REALM = "ad.example.org"
BASE = "DC=ad,DC=example,DC=org"
USERS = f"CN=Users,{BASE}"
ADMINISTRATOR = f"administrator@{REALM}"
ADMINISTRATOR_PASSWORD = "Adm1nistrator-of-tests"
LOCKOUT_THRESHOLD = 3

_PACKAGES = "samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules"


def password(name: str) -> str:
    """Return the password of one of the people, complex enough for the domain's policy."""
    return f"Passw0rd-of-{name}"


class ActiveDirectory:
    """A domain controller with some people in it."""

    def __init__(self, folder: Path, authority: LDAPAuthority) -> None:
        for program in ("samba", "samba-tool"):
            if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin") is None:
                pytest.fail(f"{program} is missing: apt-get install {_PACKAGES}")
        self.address = ".".join(["127", *(str(1 + octet % 254) for octet in os.urandom(3))])
        self._folder = folder
        self._certificate = authority.issue(f"dc-{self.address}", self.address)
        self._authority = authority
        self._process: subprocess.Popen[bytes] | None = None

    def provision(self) -> None:
        """Make the domain."""
        command = [
            *("samba-tool", "domain", "provision", "--server-role=dc", "--dns-backend=NONE"),
            *(f"--realm={REALM.upper()}", "--domain=AD", f"--targetdir={self._folder}"),
            f"--adminpass={ADMINISTRATOR_PASSWORD}",
            *self._options({"interfaces": f"{self.address}/8"}),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Start the LDAP server alone and wait until it takes connections."""
        run = self._folder / "run"
        run.mkdir(exist_ok=True)
        options = {
            "server services": "ldap",
            "dcerpc endpoint servers": "",
            "interfaces": f"{self.address}/255.0.0.0",
            "bind interfaces only": "yes",
            "pid directory": str(run),
            "lock directory": str(run),
            "ncalrpc dir": str(run / "ncalrpc"),
            "tls keyfile": str(self._certificate.key),
            "tls certfile": str(self._certificate.certificate),
            "tls cafile": str(self._authority.certificate),
        }
        with (run / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("samba", "--interactive", "--model=single", "--debug-stdout"),
                    f"--configfile={self._folder}/etc/smb.conf",
                    *self._options(options),
                ],
                # It ends with its standard input.
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection((self.address, 636)).close()
                return
            assert self._process.poll() is None, (run / "log").read_text()
            time.sleep(0.05)
        pytest.fail(f"samba does not listen on port 636: {(run / 'log').read_text()}")

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.terminate()
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()
            self._process = None

    def modify(self, ldif: str) -> None:
        """Change entries as the administrator would."""
        done = subprocess.run(
            [
                *("ldapmodify", "-x", "-H", f"ldaps://{self.address}"),
                *("-D", ADMINISTRATOR, "-w", ADMINISTRATOR_PASSWORD),
            ],
            input=ldif.encode(),
            capture_output=True,
            env={**os.environ, "LDAPTLS_CACERT": str(self._authority.certificate)},
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()

    def populate(self) -> None:
        """Add the people and groups, one LDIF for all."""
        people = ("alice", "bob", "disabled", "expired", "locked", "mustchange", "günther")
        entries = [_user(name) for name in people]
        entries[2] += _change("disabled", "userAccountControl", "514")
        entries[3] += _change("expired", "accountExpires", "129000000000000000")
        entries[5] += _change("mustchange", "pwdLastSet", "0")
        groups = [
            _group("K8s-Dev", [f"CN=alice,{USERS}"]),
            _group("K8s-Engineering", [f"CN=K8s-Dev,{USERS}"]),
            _group("K8s-Staff", [f"CN=K8s-Engineering,{USERS}"]),
            _group("K8s-Ops", [f"CN=bob,{USERS}"]),
        ]
        cycle = (
            f"dn: CN=K8s-Dev,{USERS}\nchangetype: modify\nadd: member\n"
            f"member: CN=K8s-Staff,{USERS}\n\n"
        )
        policy = (
            f"dn: {BASE}\nchangetype: modify\nreplace: lockoutThreshold\n"
            f"lockoutThreshold: {LOCKOUT_THRESHOLD}\n\n"
        )
        self.modify("".join([*entries, *groups, cycle, policy]))

    def _options(self, options: dict[str, str]) -> list[str]:
        return [f"--option={name}={value}" for name, value in options.items()]


def _user(name: str) -> str:
    quoted = base64.b64encode(f'"{password(name)}"'.encode("utf-16-le")).decode()
    dn = base64.b64encode(f"CN={name},{USERS}".encode()).decode()
    account = base64.b64encode(name.encode()).decode()
    principal = base64.b64encode(f"{name}@{REALM}".encode()).decode()
    return (
        f"dn:: {dn}\nchangetype: add\nobjectClass: user\nsAMAccountName:: {account}\n"
        f"userPrincipalName:: {principal}\nunicodePwd:: {quoted}\nuserAccountControl: 512\n\n"
    )


def _group(name: str, members: list[str]) -> str:
    listed = "".join(f"member: {member}\n" for member in members)
    return (
        f"dn: CN={name},{USERS}\nchangetype: add\nobjectClass: group\n"
        f"sAMAccountName: {name}\n{listed}\n"
    )


def _change(name: str, attribute: str, value: str) -> str:
    return (
        f"dn: CN={name},{USERS}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n\n"
    )


@pytest.fixture(scope="session")
def active_directory(
    tmp_path_factory: pytest.TempPathFactory, ldap_authority: LDAPAuthority
) -> Iterator[ActiveDirectory]:
    """Run a domain controller for all tests of a worker."""
    if os.geteuid() != 0:
        pytest.skip("only root makes a domain: its files are given to several owners")
    controller = ActiveDirectory(tmp_path_factory.mktemp("samba"), ldap_authority)
    controller.provision()
    controller.start()
    try:
        controller.populate()
        yield controller
    finally:
        controller.stop()
