"""What an introspection lacks is asked of userinfo."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.authn.claims import ClaimMapping, ClaimMappings, GroupsMapping
from authsvc.authn.expressions import Expression, Result, Variable
from authsvc.interfaces import UserInfo
from tests.authn.introspection.conftest import NewIntrospection
from tests.parts.openid_provider import OpenIDProvider
from tests.parts.web_server import Answer, NewWebServer


def test_userinfo_fills_in_what_the_introspection_lacks(
    new_introspection: NewIntrospection, openid_provider: OpenIDProvider
) -> None:
    without_resource = openid_provider.grants.authorization_code("bob")["access_token"]
    arguments: dict[str, Any] = {"audiences": (), "client_ids": ("kubectl",)}
    url = f"{openid_provider.issuer}/me"

    alone = new_introspection(openid_provider.issuer, **arguments)
    filled = new_introspection(openid_provider.issuer, **arguments, userinfo_url=url)

    assert alone.authenticate_token(without_resource, ()) is None
    identity = filled.authenticate_token(without_resource, ())
    assert identity is not None
    assert identity.user == UserInfo("bob", groups=("dev",))


def test_userinfo_of_another_subject_is_not_believed(
    new_introspection: NewIntrospection, new_web_server: NewWebServer
) -> None:
    server = new_web_server(
        lambda asked: Answer(
            {"sub": "root", "preferred_username": "root"}
            if asked.path == "/me"
            else {"active": True, "aud": "kubernetes", "sub": "alice"}
        )
    )
    introspection = new_introspection(server.url, userinfo_url=f"{server.url}/me")

    assert introspection.authenticate_token("opaque", ()) is None


EXPRESSION = ClaimMapping(
    expression=Expression("claims.?groups.orValue([])", Variable.CLAIMS, Result.STRINGS)
)


@pytest.mark.parametrize(
    ("changes", "user"),
    [
        ({"groups": GroupsMapping(EXPRESSION)}, UserInfo("alice", groups=("dev",))),
        (
            {"extra": (("example.com/tenant", ClaimMapping("tenant")),)},
            UserInfo("alice", extra={"example.com/tenant": ("ours",)}),
        ),
    ],
    ids=["an expression", "an extra"],
)
def test_userinfo_is_asked_for_whatever_makes_the_user(
    new_introspection: NewIntrospection,
    new_web_server: NewWebServer,
    changes: dict[str, Any],
    user: UserInfo,
) -> None:
    server = new_web_server(
        lambda asked: Answer(
            {"sub": "a", "groups": ["dev"], "tenant": "ours"}
            if asked.path == "/me"
            else {"active": True, "aud": "kubernetes", "sub": "a", "preferred_username": "alice"}
        )
    )
    mappings = ClaimMappings(ClaimMapping("preferred_username"), **changes)
    introspection = new_introspection(
        server.url, mappings=mappings, userinfo_url=f"{server.url}/me"
    )

    identity = introspection.authenticate_token("opaque", ())

    assert identity is not None
    assert identity.user == user


def test_userinfo_is_left_alone_where_the_introspection_says_it_all(
    new_introspection: NewIntrospection, new_web_server: NewWebServer
) -> None:
    said = {"active": True, "aud": "kubernetes", "preferred_username": "alice", "groups": []}
    server = new_web_server(Answer(said))
    introspection = new_introspection(server.url, userinfo_url=f"{server.url}/me")

    assert introspection.authenticate_token("opaque", ())
    assert server.paths() == ["/token/introspection"]


ROLES = "/realm_access/roles"
SAID = {"active": True, "aud": "kubernetes", "sub": "a", "preferred_username": "alice"}


def groups_from(mapping: ClaimMapping) -> ClaimMappings:
    return ClaimMappings(ClaimMapping("preferred_username"), GroupsMapping(mapping))


def nested(expression: str) -> ClaimMapping:
    return ClaimMapping(expression=Expression(expression, Variable.CLAIMS, Result.STRINGS))


@pytest.mark.parametrize(
    ("source", "said", "more"),
    [
        (ClaimMapping("groups"), {"groups": None}, {"groups": ["dev"]}),
        (ClaimMapping(ROLES), {"realm_access": {}}, {"realm_access": {"roles": ["dev"]}}),
        (ClaimMapping(ROLES), {"realm_access": None}, {"realm_access": {"roles": ["dev"]}}),
        (
            ClaimMapping(ROLES),
            {"realm_access": {"roles": None, "x": 1}},
            {"realm_access": {"roles": ["dev"], "x": 2}},
        ),
        (EXPRESSION, {"groups": None}, {"groups": ["dev"]}),
        (
            nested("claims.?realm_access.?roles.orValue([])"),
            {"realm_access": {}},
            {"realm_access": {"roles": ["dev"]}},
        ),
    ],
    ids=[
        "null",
        "empty parent",
        "null parent",
        "null in parent",
        "expression",
        "nested expression",
    ],
)
def test_an_introspection_that_has_no_groups_does_not_hide_those_of_userinfo(
    new_introspection: NewIntrospection,
    new_web_server: NewWebServer,
    source: ClaimMapping,
    said: dict[str, Any],
    more: dict[str, Any],
) -> None:
    server = new_web_server(
        lambda asked: Answer({"sub": "a", **more} if asked.path == "/me" else SAID | said)
    )
    introspection = new_introspection(
        server.url, mappings=groups_from(source), userinfo_url=f"{server.url}/me"
    )

    identity = introspection.authenticate_token("opaque", ())

    assert identity is not None
    assert identity.user.groups == ("dev",)


def test_groups_of_userinfo_that_do_not_fit_in_refuse_the_token_and_are_not_left_out(
    new_introspection: NewIntrospection, new_web_server: NewWebServer
) -> None:
    more = {"sub": "a", "realm_access": {"roles": ["dev"]}}
    server = new_web_server(
        lambda asked: Answer(more if asked.path == "/me" else SAID | {"realm_access": []})
    )
    introspection = new_introspection(
        server.url, mappings=groups_from(ClaimMapping(ROLES)), userinfo_url=f"{server.url}/me"
    )

    assert introspection.authenticate_token("opaque", ()) is None
    assert introspection.explain("opaque", ()).checks[-1].detail.startswith(ROLES)


@pytest.mark.parametrize(
    ("said", "more", "taken"),
    [
        ({}, {"email_verified": False}, False),
        ({}, {"email_verified": True}, True),
        ({}, {}, True),
        ({"email_verified": True}, {"email_verified": False}, True),
        ({"email_verified": None}, {"email_verified": False}, False),
    ],
    ids=str,
)
def test_an_address_is_not_taken_where_only_userinfo_says_that_nobody_verified_it(
    new_introspection: NewIntrospection,
    new_web_server: NewWebServer,
    said: dict[str, Any],
    more: dict[str, Any],
    taken: bool,
) -> None:
    address = {"sub": "a", "email": "ceo@example.com"}
    server = new_web_server(
        lambda asked: Answer(address | more if asked.path == "/me" else SAID | address | said)
    )
    introspection = new_introspection(
        server.url,
        mappings=ClaimMappings(ClaimMapping("email")),
        userinfo_url=f"{server.url}/me",
    )

    assert (introspection.authenticate_token("opaque", ()) is not None) is taken
