"""Active Directory's own ways, against Samba as a domain controller and the preset as it is."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.attempts import Curve, MemoryAttemptCounter
from authsvc.authn.deadline import Deadline
from authsvc.authn.ldap.authenticator import LDAPAuthenticator
from authsvc.authn.ldap.connection import Search
from authsvc.authn.ldap.directory import Directory
from authsvc.authn.ldap.names import normalise_dn
from authsvc.authn.ldap.presets import PRESETS
from authsvc.authn.ldap.settings import (
    TLS,
    Groups,
    GroupSearch,
    LDAPSettings,
    Scope,
    Security,
    Server,
    SimpleBind,
    UserSearch,
)
from tests.parts import samba
from tests.parts.ldap_authority import LDAPAuthority
from tests.parts.samba import ActiveDirectory, password

PRESET = PRESETS["ActiveDirectory"]


@pytest.fixture(params=[Security.LDAPS, Security.START_TLS], ids=["ldaps", "starttls"])
def settings(
    request: pytest.FixtureRequest,
    active_directory: ActiveDirectory,
    ldap_authority: LDAPAuthority,
    tmp_path: Path,
) -> LDAPSettings:
    file = tmp_path / "password"
    file.write_text(samba.ADMINISTRATOR_PASSWORD)
    assert isinstance(PRESET.groups, GroupSearch)
    port = 636 if request.param is Security.LDAPS else 389
    return LDAPSettings(
        servers=(Server(host=active_directory.address, port=port, security=request.param),),
        bind=SimpleBind(dn=samba.ADMINISTRATOR, password_file=file),
        tls=TLS(ca_file=ldap_authority.certificate),
        user=UserSearch(base=samba.BASE, filter=PRESET.user_filter),
        attributes=PRESET.attributes,
        groups=Groups(
            sources=(dataclasses.replace(PRESET.groups, base=samba.BASE),), include=("k8s-*",)
        ),
        account_status=PRESET.account_status,
        username_prefix="ad:",
    )


@pytest.fixture
def authenticator(settings: LDAPSettings) -> Iterator[LDAPAuthenticator]:
    made = LDAPAuthenticator(settings, MemoryAttemptCounter(Curve(free=100)))
    yield made
    made.close()


def test_nested_groups_come_from_one_search_through_a_cycle(
    authenticator: LDAPAuthenticator,
) -> None:
    user = authenticator.authenticate_password("alice", password("alice"))

    assert user is not None
    assert user.username == "ad:alice"
    assert set(user.groups) == {"K8s-Dev", "K8s-Engineering", "K8s-Staff"}
    assert str(uuid.UUID(user.uid)) == user.uid


@pytest.mark.parametrize("name", ["bob", "BOB", "bob@ad.example.org"])
def test_account_and_principal_names_are_one_user_whose_uid_is_stable(
    authenticator: LDAPAuthenticator, name: str
) -> None:
    user = authenticator.authenticate_password(name, password("bob"))

    assert user is not None
    assert user.username == "ad:bob"
    assert user == authenticator.lookup("ad:bob")


def test_names_may_hold_umlauts(authenticator: LDAPAuthenticator) -> None:
    user = authenticator.authenticate_password("günther", password("günther"))

    assert user is not None
    assert user.username == "ad:günther"


@pytest.mark.parametrize("name", ["disabled", "expired", "mustchange"])
def test_a_closed_account_neither_logs_in_nor_stays(
    authenticator: LDAPAuthenticator, name: str
) -> None:
    assert authenticator.authenticate_password(name, password(name)) is None
    assert authenticator.lookup(f"ad:{name}") is None


@pytest.mark.parametrize("attempt", ["wrong", password("bob"), password("alice").upper()])
def test_a_wrong_password_is_nobodys(authenticator: LDAPAuthenticator, attempt: str) -> None:
    assert authenticator.authenticate_password("alice", attempt) is None
    assert authenticator.authenticate_password("alice", password("alice")) is not None
    assert authenticator.authenticate_password("nosuchuser", attempt) is None


def test_a_locked_out_account_neither_logs_in_nor_stays(
    authenticator: LDAPAuthenticator, active_directory: ActiveDirectory
) -> None:
    active_directory.modify(
        f"dn: CN=locked,{samba.USERS}\nchangetype: modify\nreplace: lockoutTime\nlockoutTime: 0\n"
    )
    assert authenticator.authenticate_password("locked", password("locked")) is not None

    for _ in range(samba.LOCKOUT_THRESHOLD):
        assert authenticator.authenticate_password("locked", "wrong") is None

    assert authenticator.authenticate_password("locked", password("locked")) is None
    assert authenticator.lookup("ad:locked") is None


def test_values_that_come_in_parts_are_put_together(settings: LDAPSettings) -> None:
    # Samba never answers with a part of its own accord, as Active Directory does
    # from 1,500 values on, but it knows how to be asked for one.
    part = Search(samba.BASE, Scope.SUBTREE, "(cn=K8s-Dev)", ("cn", "member;range=0-0"))

    with contextlib.closing(Directory(settings)) as directory:
        (group,) = directory.search(part, Deadline(5))

    members = {normalise_dn(dn) for dn in group.texts("member")}
    assert members == {normalise_dn(f"CN={cn},{samba.USERS}") for cn in ("alice", "K8s-Staff")}
