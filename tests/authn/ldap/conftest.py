"""Authenticators for the test directory, as an administrator would set them up."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from authsvc.attempts import AttemptCounter, Curve, MemoryAttemptCounter
from authsvc.authn.ldap.authenticator import LDAPAuthenticator
from authsvc.authn.ldap.presets import PRESETS
from authsvc.authn.ldap.settings import (
    TLS,
    Groups,
    GroupSearch,
    LDAPSettings,
    Security,
    Server,
    SimpleBind,
    UserSearch,
)
from tests.parts import ldap_people
from tests.parts.ldap_authority import LDAPAuthority
from tests.parts.slapd import Slapd

OPENLDAP = PRESETS["OpenLDAP"]
USERS = UserSearch(base=ldap_people.PEOPLE, filter=OPENLDAP.user_filter)

MakeSettings = Callable[..., LDAPSettings]
MakeAuthenticator = Callable[..., LDAPAuthenticator]


def by_search(**changes: Any) -> Groups:
    """Return the groups of the OpenLDAP preset, named by DN, with changes."""
    assert isinstance(OPENLDAP.groups, GroupSearch)
    changed = {"base": ldap_people.GROUPS, "name": "dn", **changes}
    return Groups(sources=(dataclasses.replace(OPENLDAP.groups, **changed),))


def server(port: int, security: Security = Security.LDAPS, host: str = "127.0.0.1") -> Server:
    """Return the settings of a server on loopback."""
    return Server(host=host, port=port, security=security)


def until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Wait until a condition holds; return whether it does."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def make_settings(slapd: Slapd, ldap_authority: LDAPAuthority, tmp_path: Path) -> MakeSettings:
    """Give a function that returns the settings for the test directory, with changes."""
    password_file = tmp_path / "service-password"
    password_file.write_text(ldap_people.SERVICE_PASSWORD + "\n")

    def make(**changes: Any) -> LDAPSettings:
        return dataclasses.replace(
            LDAPSettings(
                servers=(server(slapd.tls_port),),
                bind=SimpleBind(dn=ldap_people.SERVICE, password_file=password_file),
                user=USERS,
                tls=TLS(ca_file=ldap_authority.certificate),
                attributes=OPENLDAP.attributes,
                groups=by_search(),
                account_status=OPENLDAP.account_status,
            ),
            **changes,
        )

    return make


@pytest.fixture
def make_authenticator(make_settings: MakeSettings) -> Iterator[MakeAuthenticator]:
    """Give a function that returns an authenticator for the test directory."""
    made: list[LDAPAuthenticator] = []

    def make(attempts: AttemptCounter | None = None, **changes: Any) -> LDAPAuthenticator:
        counter = attempts or MemoryAttemptCounter(Curve(free=1000))
        authenticator = LDAPAuthenticator(make_settings(**changes), counter)
        authenticator.start()
        made.append(authenticator)
        return authenticator

    yield make
    for authenticator in made:
        authenticator.close()
