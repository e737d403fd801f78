"""What an introspection lacks is asked of userinfo."""

from __future__ import annotations

from typing import Any

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
