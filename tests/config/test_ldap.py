"""``type: LDAP`` in the configuration file: what presets set, what is refused and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from authsvc.authn.ldap.settings import (
    SRV,
    AccountStatus,
    ExternalBind,
    GroupSearch,
    LDAPSettings,
    MemberOf,
    Nested,
    NoBind,
    Scope,
    Security,
    Server,
    SimpleBind,
    UserSearch,
    UserTemplate,
)
from authsvc.config import load
from authsvc.errors import InvalidConfigurationError

EXAMPLES = Path(__file__).parents[2] / "config" / "ldap"
FILES = (
    *("ldap-ca.crt", "ldap-password", "authsvc.crt", "authsvc.key"),
    *("pki/server.crt", "pki/server.key", "pki/ca.crt"),
)
SIMPLE = {"dn": "cn=authsvc,dc=x", "passwordFile": "ldap-password"}
LEAST = {
    "bind": SIMPLE,
    "servers": ["ldaps://ldap.example.org"],
    "preset": "OpenLDAP",
    "baseDN": "dc=x",
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    """Put files in place that a configuration may name."""
    for folder in ("pki", "keys"):
        (tmp_path / folder).mkdir()
    for name in FILES:
        (tmp_path / name).write_text("x")


def settings_of(folder: Path, ldap: dict[str, Any]) -> LDAPSettings:
    document = {
        "apiVersion": "config.authsvc.io/v1alpha1",
        "kind": "AuthsvcConfiguration",
        "server": {"workers": 1},
        "authentication": {"authenticators": [{"name": "corp", "type": "LDAP", "ldap": ldap}]},
    }
    file = folder / "authsvc.yaml"
    file.write_text(yaml.safe_dump(document))
    return _ldap(file)


def _ldap(file: Path) -> LDAPSettings:
    named = load(file).authentication.authenticators
    (settings,) = [each.settings for each in named if isinstance(each.settings, LDAPSettings)]
    return settings


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.glob("*.yaml")))
def test_each_example_lets_people_in_one_way(example: str, tmp_path: Path) -> None:
    file = tmp_path / example
    file.write_text((EXAMPLES / example).read_text())

    assert _ldap(file).password_tokens is (load(file).issuing is None)


def test_there_is_an_example_for_each_preset() -> None:
    presets = {
        yaml.safe_load(path.read_text())["authentication"]["authenticators"][0]["ldap"]["preset"]
        for path in EXAMPLES.glob("*.yaml")
    }

    assert presets == {"ActiveDirectory", "OpenLDAP", "FreeIPA", "389DS"}


def test_a_preset_sets_all_that_depends_on_the_kind_of_directory(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, LEAST)

    assert settings.servers == (Server(host="ldap.example.org", port=636),)
    assert settings.bind == SimpleBind(
        dn="cn=authsvc,dc=x", password_file=tmp_path / "ldap-password"
    )
    assert settings.user == UserSearch(
        base="dc=x", filter="(&(objectClass=inetOrgPerson)(uid={username}))"
    )
    assert settings.attributes.uid == "entryUUID"
    assert settings.groups.sources == (GroupSearch(base="dc=x", nested=Nested.RECURSIVE),)
    assert settings.account_status == {AccountStatus.PPOLICY, AccountStatus.SHADOW}
    assert not settings.password_tokens


def test_each_value_of_a_preset_can_be_overridden_alone(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        LEAST
        | {
            "users": {"filter": "(mail={username})", "scope": "OneLevel"},
            "attributes": {"username": "mail", "extra": {"title": "title"}},
            "groups": {"search": [{"name": "dn", "scope": "Base"}, {"nested": "None"}]},
            "accountStatus": ["Shadow"],
            "deadline": "1500ms",
            "pool": {"size": 2, "idle": "10s"},
        },
    )

    assert settings.user == UserSearch(base="dc=x", filter="(mail={username})", scope=Scope.ONE)
    assert (settings.attributes.username, settings.attributes.uid) == ("mail", "entryUUID")
    assert settings.attributes.extra == (("title", "title"),)
    assert settings.groups.sources == (
        GroupSearch(base="dc=x", name="dn", scope=Scope.BASE, nested=Nested.RECURSIVE),
        GroupSearch(base="dc=x", nested=Nested.NONE),
    )
    assert settings.account_status == {AccountStatus.SHADOW}
    assert (settings.deadline, settings.pool_size, settings.pool_idle) == (1.5, 2, 10.0)


def test_freeipas_groups_are_those_of_member_of_in_their_own_place(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, LEAST | {"preset": "FreeIPA"})

    assert settings.user.base == "cn=users,cn=accounts,dc=x"  # type: ignore[union-attr]  # a search
    assert settings.groups.sources == (MemberOf(base="cn=groups,cn=accounts,dc=x"),)


def test_without_a_preset_everything_is_said(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        {
            "bind": {"type": "Anonymous"},
            "servers": ["ldap://127.0.0.1:3389", "ldap://[::1]"],
            "insecure": True,
            "users": {"dnTemplate": "uid={username},dc=x"},
            "groups": {"memberOf": {"name": "dn", "nested": "Recursive"}, "attribute": "title"},
        },
    )

    assert settings.bind == NoBind()
    assert settings.servers == (
        Server(host="127.0.0.1", port=3389, security=Security.PLAINTEXT),
        Server(host="::1", port=389, security=Security.PLAINTEXT),
    )
    assert settings.user == UserTemplate(dn="uid={username},dc=x")
    assert settings.groups.sources[0] == MemberOf(name="dn", nested=Nested.RECURSIVE)


def test_a_server_without_the_s_is_start_tls(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, LEAST | {"servers": ["ldap://h", "ldaps://h:3636"]})

    assert settings.servers == (
        Server(host="h", port=389, security=Security.START_TLS),
        Server(host="h", port=3636, security=Security.LDAPS),
    )


def test_servers_may_come_from_dns(tmp_path: Path) -> None:
    name = "_ldap._tcp.dc._msdcs.ad.example.org"
    changed = {key: value for key, value in LEAST.items() if key != "servers"}

    settings = settings_of(tmp_path, changed | {"srv": {"name": name}})

    assert settings.servers == SRV(name=name)
    assert SRV(name=name).domain == "ad.example.org"


def test_a_client_certificate_is_enough_to_bind(tmp_path: Path) -> None:
    tls = {"certFile": "authsvc.crt", "keyFile": "authsvc.key"}

    settings = settings_of(tmp_path, LEAST | {"bind": {"type": "External"}, "tls": tls})

    assert settings.bind == ExternalBind()
    assert settings.tls.key_file == tmp_path / "authsvc.key"


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"bind": None}, "bind.dn", "required"),
        ({"bind": {"dn": "cn=x"}}, "bind.passwordFile", "required"),
        ({"bind": SIMPLE | {"passwordFile": "missing"}}, "bind.passwordFile", "no such file"),
        ({"bind": SIMPLE | {"type": "Anonymous"}}, "bind.dn", "does not belong"),
        ({"bind": {"type": "External"}}, "bind", "needs tls.certFile"),
        ({"servers": []}, "servers", "either servers or srv"),
        ({"srv": {"name": "_ldap._tcp.x"}}, "servers", "either servers or srv"),
        ({"servers": ["http://h"]}, "servers[0]", "expected ldaps://host"),
        ({"servers": ["ldaps://h", "h"]}, "servers[1]", "expected ldaps://host"),
        ({"servers": ["ldaps://u:p@h"]}, "servers[0]", "expected ldaps://host"),
        ({"servers": ["ldaps://h/dc=x"]}, "servers[0]", "expected ldaps://host"),
        ({"servers": ["ldaps://h:99999"]}, "servers[0]", "expected ldaps://host"),
        ({"insecure": True}, "insecure", "there are none"),
        ({"tls": {"certFile": "authsvc.crt"}}, "tls", "belong together"),
        ({"tls": {"caFile": "missing"}}, "tls.caFile", "no such file"),
        ({"baseDN": ""}, "baseDN", "required with a preset"),
        ({"preset": None}, "users.filter", "required without a preset"),
        ({"users": {"filter": "(uid=x)"}}, "users.filter", "holds no {username}"),
        ({"users": {"filter": "uid={username}"}}, "users.filter", "not an LDAP filter"),
        ({"users": {"filter": "(uid={username}"}}, "users.filter", "not an LDAP filter"),
        ({"users": {"dnTemplate": "uid=x"}}, "users.dnTemplate", "holds no {username}"),
        (
            {"users": {"dnTemplate": "uid={username}", "base": "dc=x"}},
            "users.base",
            "does not go with dnTemplate",
        ),
        ({"attributes": {"username": "uid)("}}, "attributes.username", "regex"),
        ({"attributes": {"extra": {"Mail": "mail"}}}, "attributes.extra.Mail", "lower-case"),
        (
            {"attributes": {"extra": {"authentication.kubernetes.io/pod-name": "cn"}}},
            "attributes.extra.authentication.kubernetes.io/pod-name",
            "authentication.kubernetes.io is reserved for Kubernetes",
        ),
        ({"attributes": {"extra": {"k8s.io": "cn"}}}, "attributes.extra.k8s.io", "reserved"),
        ({"groups": {"search": [{"filter": "(x"}]}}, "groups.search[0].filter", "not an LDAP"),
        (
            {"groups": {"search": [{"memberValue": "uid"}]}},
            "groups.search[0].nested",
            "memberValue must be dn",
        ),
        ({"groups": {"search": [{"memberAttributes": []}]}}, "groups.search[0].", "at least one"),
        ({"accountStatus": ["Locked"]}, "accountStatus[0]", "expected one of"),
        ({"deadline": "0s"}, "deadline", "over 0s"),
        ({"password": "secret"}, "password", "unknown field"),
        ({"srv": {"name": "example.org"}, "servers": []}, "srv.name", "regex"),
        (
            {"srv": {"name": "_ldap._tcp.x", "nameservers": ["h"]}, "servers": []},
            "srv.nameservers[0]",
            "expected an address",
        ),
    ],
)
def test_a_fault_is_told_with_its_place(
    tmp_path: Path, changes: dict[str, Any], place: str, message: str
) -> None:
    with pytest.raises(InvalidConfigurationError) as refused:
        settings_of(tmp_path, LEAST | changes)

    told = [
        error
        for error in refused.value.errors
        if error.path.startswith(f"authentication.authenticators[0].ldap.{place}")
    ]
    assert any(message in error.message.lower() or message in error.message for error in told), (
        refused.value
    )


@pytest.mark.parametrize("content", ["", "\n"])
def test_a_password_file_without_a_password_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "ldap-password").write_text(content)

    with pytest.raises(InvalidConfigurationError, match=r"ldap\.bind\.passwordFile: .*: empty"):
        settings_of(tmp_path, LEAST)


def test_several_workers_need_a_store_to_count_failed_passwords_as_one(tmp_path: Path) -> None:
    example = (EXAMPLES / "openldap.yaml").read_text()
    without = yaml.safe_load(example)
    del without["store"]
    file = tmp_path / "authsvc.yaml"
    file.write_text(yaml.safe_dump(without))

    with pytest.raises(InvalidConfigurationError, match="store: required by type LDAP"):
        load(file)


@pytest.mark.parametrize("field", ["usernamePrefix", "groupsPrefix"])
def test_a_prefix_that_makes_names_of_the_control_plane_is_refused(
    tmp_path: Path, field: str
) -> None:
    with pytest.raises(InvalidConfigurationError, match=rf"ldap\.{field}: names the control plane"):
        settings_of(tmp_path, {**LEAST, field: "System:"})
