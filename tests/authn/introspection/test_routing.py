"""Which tokens are sent to the provider at all."""

from __future__ import annotations

import pytest

from tests.authn.introspection.conftest import NewIntrospection
from tests.parts.openid_provider import RS256, OpenIDProvider
from tests.parts.web_server import Answer, NewWebServer


def test_a_jwt_of_a_listed_issuer_is_asked_about_as_well(
    new_introspection: NewIntrospection, openid_provider: OpenIDProvider
) -> None:
    token = openid_provider.grants.authorization_code("alice", resource=RS256)["access_token"]
    introspection = new_introspection(openid_provider.issuer, issuers=(openid_provider.issuer,))

    assert introspection.route(token).takes
    assert not new_introspection(openid_provider.issuer).route(token).takes
    assert not new_introspection(openid_provider.issuer, issuers=("https://x",)).route(token).takes


@pytest.mark.parametrize(
    "token",
    [
        "eyJhbGciOiJub25lIn0.e30.",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "github_pat_11AAAAAAA0",
        "glpat-abcdefghijklmnopqrst",
        "YWxpY2U6cGFzc3dvcmQ=",  # alice:password
        "YWxpY2U6cGFzc3dvcmQ",
        "abcdef.0123456789abcdef",
        "authsvc_rt_c2Vzc2lvbg.ZmFtaWx5.c2VjcmV0",
        "two words",
        "",
    ],
)
def test_a_token_for_somebody_else_is_never_sent(
    new_introspection: NewIntrospection, new_web_server: NewWebServer, token: str
) -> None:
    server = new_web_server(Answer({"active": True}))
    introspection = new_introspection(server.url)

    assert introspection.authenticate_token(token, ()) is None
    assert server.asked == []


def test_prefixes_keep_other_tokens_away(
    new_introspection: NewIntrospection, new_web_server: NewWebServer
) -> None:
    server = new_web_server(Answer({"active": False}))
    introspection = new_introspection(server.url, token_prefixes=("corp_",))

    assert introspection.authenticate_token("other_1", ()) is None
    assert server.asked == []
    assert introspection.authenticate_token("corp_1", ()) is None
    assert len(server.asked) == 1
