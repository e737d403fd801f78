"""TokenReviews of OAuth tokens, asked over TLS of the running service (cases 22 to 27).

Two issuers and an introspection endpoint side by side, all real; the service's
log is at its most verbose, and what it says of tokens and secrets is looked at.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.authn.oidc import sign
from tests.parts.authsvc_server import AuthsvcServer, StartAuthsvc, running
from tests.parts.ldap_authority import LDAPAuthority
from tests.parts.ldap_people import BASE, GROUPS, PEOPLE, SERVICE, SERVICE_PASSWORD
from tests.parts.openid_provider import (
    AUTHSVC_SECRET,
    EDDSA,
    ES256,
    OPAQUE,
    OTHER,
    RS256,
    NewOpenIDProvider,
    OpenIDProvider,
)
from tests.parts.slapd import Slapd
from tests.parts.web_server import Answer, WebServer

API = "https://kubernetes.default.svc.cluster.local"
NO = {"authenticated": False}


class World(NamedTuple):
    """A running service and whom it asks."""

    server: AuthsvcServer
    first: OpenIDProvider
    second: OpenIDProvider
    stranger: WebServer


def oidc(name: str, issuer: str, **changes: Any) -> dict[str, Any]:
    settings = {
        "issuer": {"url": issuer, "audiences": ["kubernetes", "kubectl"]},
        "claimMappings": {
            "username": {"claim": "sub", "prefix": f"{name}:"},
            "groups": {"claim": "groups", "prefix": f"{name}:"},
        },
        **changes,
    }
    return {"name": name, "type": "OIDC", "oidc": settings}


def introspection(issuer: str, secret_file: Path) -> dict[str, Any]:
    settings = {
        "url": f"{issuer}/token/introspection",
        "userinfoURL": f"{issuer}/me",
        "client": {"id": "authsvc", "secretFile": str(secret_file)},
        "clientIDs": ["kubectl"],
        "claimMappings": {
            "username": {"claim": "preferred_username", "prefix": ""},
            "groups": {"claim": "groups", "prefix": ""},
        },
    }
    return {"name": "opaque", "type": "OAuth2Introspection", "oauth2Introspection": settings}


def settings_of(*authenticators: dict[str, Any]) -> dict[str, Any]:
    return {
        "authentication": {
            "authenticators": list(authenticators),
            # Each review is to reach the provider, whatever was asked before.
            "cache": {"ttl": "0s", "rejectedTTL": "0s"},
        },
        "logging": {"level": "debug"},
    }


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, openid_provider: OpenIDProvider
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("oauth")
    secret = folder / "client-secret"
    secret.write_text(AUTHSVC_SECRET, encoding="utf-8")
    second = OpenIDProvider(tmp_path_factory.mktemp("second")).start()
    stranger = WebServer(Answer({"keys": []}))
    settings = settings_of(
        oidc("first", openid_provider.issuer),
        oidc("second", second.issuer, apiAudiences=[API]),
        introspection(openid_provider.issuer, secret),
    )
    with running(folder / "authsvc", settings=settings) as server:
        yield World(server, openid_provider, second, stranger)
    stranger.stop()
    second.stop()


@pytest.mark.parametrize("resource", [RS256, ES256, EDDSA])
def test_22_a_token_of_each_algorithm_is_ok(world: World, resource: str) -> None:
    token = world.first.grants.authorization_code("alice", resource=resource)["access_token"]

    status = world.server.authenticate(token, [API])

    assert status["authenticated"] is True
    assert status["user"]["username"] == "first:alice"
    assert status["user"]["groups"] == ["first:dev", "first:ops"]


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "elsewhere"},
        {"aud": None},
        {"exp": None},
        {"exp": 1},
        {"nbf": 4_000_000_000},
        {"sub": ""},
        {"groups": {"dev": 1}},
    ],
    ids=str,
)
def test_22_and_25_a_token_that_says_something_wrong_is_nobodys(
    world: World, claims: dict[str, Any]
) -> None:
    assert world.server.authenticate(sign(world.first, **claims)) == NO


def test_23_a_token_that_brings_its_own_key_is_nobodys_and_nothing_is_fetched(
    world: World,
) -> None:
    for header in ({"jku": f"{world.stranger.url}/keys"}, {"x5u": f"{world.stranger.url}/chain"}):
        assert world.server.authenticate(sign(world.first, header=header)) == NO
    unsigned = sign(world.first, algorithm="none", key=world.first.key("RSA"))
    assert world.server.authenticate(unsigned) == NO
    assert world.stranger.asked == []


def test_24_key_ids_that_nobody_has_fetch_keys_no_oftener_than_allowed(world: World) -> None:
    before = world.first.requests("/jwks")

    for _ in range(20):
        unknown = sign(world.first, header={"kid": secrets.token_hex()})
        assert world.server.authenticate(unknown) == NO

    # One worker; a background refresh and one refetch in five seconds may fall into this.
    assert world.first.requests("/jwks") - before <= 3


def test_26_an_opaque_token_is_ok_until_it_is_revoked(world: World) -> None:
    token = world.first.grants.authorization_code("alice", resource=OPAQUE)["access_token"]
    status = world.server.authenticate(token)
    assert status["user"]["username"] == "alice"
    assert status["user"]["groups"] == ["dev", "ops"]

    world.first.grants.revoke(token)

    assert world.server.authenticate(token) == NO


def test_26_userinfo_fills_in_what_the_introspection_lacks(world: World) -> None:
    token = world.first.grants.authorization_code("bob")["access_token"]

    assert world.server.authenticate(token)["user"]["groups"] == ["dev"]


def test_26_a_token_of_another_client_is_nobodys(world: World) -> None:
    token = world.first.grants.client_credentials(
        "robot", "the secret of robot, long enough for HS256", resource=OTHER
    )["access_token"]

    assert world.server.authenticate(token) == NO


def test_27_two_issuers_stand_side_by_side_and_a_third_costs_nothing(world: World) -> None:
    assert world.server.authenticate(sign(world.second), [API])["user"]["username"] == (
        "second:alice"
    )
    before = world.first.requests("/token/introspection")

    forged = sign(world.first, iss=world.second.issuer)
    foreign = sign(world.first, iss=world.stranger.url)

    assert world.server.authenticate(forged) == NO
    assert world.server.authenticate(foreign) == NO
    assert world.stranger.asked == []
    assert world.first.requests("/token/introspection") == before


def test_7_a_token_is_good_for_the_api_audiences_of_its_authenticator(world: World) -> None:
    token = sign(world.second)

    assert world.server.authenticate(token, ["x", API])["audiences"] == [API]
    assert world.server.authenticate(token, ["x"]) == NO


def test_7_an_authenticator_without_api_audiences_names_none(world: World) -> None:
    status = world.server.authenticate(sign(world.first), ["vault"])

    # Absent: the API server's own, and nobody else's.
    assert status["authenticated"] is True
    assert "audiences" not in status


def test_9_no_provider_names_the_control_plane(world: World) -> None:
    token = world.first.grants.authorization_code("mallory", resource=OPAQUE)["access_token"]

    assert world.server.authenticate(token)["user"]["groups"] == ["dev"]


def test_5_no_token_and_no_secret_is_in_the_log(world: World) -> None:
    tokens = world.first.grants.authorization_code("alice", resource=OPAQUE)
    refused = sign(world.first, aud="elsewhere", canary="c4n4ry")
    world.server.authenticate(tokens["access_token"])
    world.server.authenticate(tokens["refresh_token"])
    world.server.authenticate(refused)

    written = world.server.log + world.server.decision_log.read_text(encoding="utf-8")

    assert "token_refused" in written
    kept = [tokens["access_token"], tokens["refresh_token"], tokens["id_token"], refused]
    for secret in (*kept, refused.rpartition(".")[2], AUTHSVC_SECRET):
        assert secret not in written
    assert "c4n4ry" not in written


def test_24_keys_outlive_their_provider_and_without_them_it_is_an_error(
    start_authsvc: StartAuthsvc, new_openid_provider: NewOpenIDProvider
) -> None:
    cached, never = new_openid_provider(), new_openid_provider()
    good, unknown = sign(cached), sign(never)
    never.stop()
    server = start_authsvc(
        settings=settings_of(oidc("cached", cached.issuer), oidc("never", never.issuer))
    )
    assert server.authenticate(good)["authenticated"] is True

    cached.stop()

    assert server.authenticate(good)["authenticated"] is True
    status = server.authenticate(unknown)
    assert status["authenticated"] is False
    assert status["error"]
    assert "user" not in status
    assert never.issuer not in status["error"]


def test_a_directory_adds_groups_and_has_the_last_word(
    start_authsvc: StartAuthsvc,
    openid_provider: OpenIDProvider,
    slapd: Slapd,
    ldap_authority: LDAPAuthority,
    tmp_path: Path,
) -> None:
    password = tmp_path / "ldap-password"
    password.write_text(SERVICE_PASSWORD, encoding="utf-8")
    directory = {
        "name": "corp",
        "type": "LDAP",
        "ldap": {
            "preset": "OpenLDAP",
            "servers": [f"ldaps://127.0.0.1:{slapd.tls_port}"],
            "tls": {"caFile": str(ldap_authority.certificate)},
            "baseDN": BASE,
            "bind": {"dn": SERVICE, "passwordFile": str(password)},
            "users": {"base": PEOPLE},
            "groups": {"search": [{"base": GROUPS, "name": "dn"}]},
        },
    }
    enrichment = {"authenticator": "corp", "stripPrefix": "sso:"}
    sso = {**oidc("sso", openid_provider.issuer), "enrichment": enrichment}
    server = start_authsvc(settings=settings_of(sso, directory))

    bob = server.authenticate(sign(openid_provider, sub="bob", groups=["x"]))

    assert bob["user"]["username"] == "sso:bob"
    assert bob["user"]["groups"] == [f"cn=admins,{GROUPS}", "sso:x"]
    for gone in ("locked", "nobody-there"):
        assert server.authenticate(sign(openid_provider, sub=gone)) == NO
