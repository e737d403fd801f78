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
