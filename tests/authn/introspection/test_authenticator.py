"""A token is good when its provider says that it is, for us, and now."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from authsvc.authn.claims import ClaimRule
from authsvc.authn.http_settings import HTTPSettings
from authsvc.authn.introspection.authenticator import IntrospectionAuthenticator
from authsvc.errors import BackendError
from authsvc.interfaces import TokenAuthenticator, UserInfo
from tests.authn.introspection.conftest import NewIntrospection
from tests.contract.token_authenticator import TokenAuthenticatorContract
from tests.parts.openid_provider import AUTHSVC_SECRET, OPAQUE, OTHER, OpenIDProvider
from tests.parts.web_server import Answer, NewWebServer


class TestContract(TokenAuthenticatorContract):
    @pytest.fixture
    def authenticator(self, introspection: IntrospectionAuthenticator) -> TokenAuthenticator:
        return introspection

    @pytest.fixture
    def good_token(self, opaque_token: str) -> str:
        return opaque_token

    @pytest.fixture
    def expected_user(self) -> UserInfo:
        return UserInfo("alice", groups=("dev", "ops"))


def test_an_active_token_is_its_users_until_it_expires(
    introspection: IntrospectionAuthenticator, opaque_token: str
) -> None:
    identity = introspection.authenticate_token(opaque_token, ("https://api",))

    assert identity is not None
    assert identity.user == UserInfo("alice", groups=("dev", "ops"))
    assert identity.audiences == ()  # no apiAudiences: the API server's own
    assert identity.expires_at is not None
    assert 0 < identity.expires_at - time.time() <= 600


def test_a_revoked_token_is_nobodys(
    openid_provider: OpenIDProvider, introspection: IntrospectionAuthenticator, opaque_token: str
) -> None:
    assert introspection.authenticate_token(opaque_token, ())

    openid_provider.grants.revoke(opaque_token)

    assert introspection.authenticate_token(opaque_token, ()) is None


def test_a_token_for_another_audience_is_nobodys(
    openid_provider: OpenIDProvider, introspection: IntrospectionAuthenticator
) -> None:
    token = openid_provider.grants.authorization_code("alice", resource=OTHER)["access_token"]

    assert introspection.authenticate_token(token, ()) is None


@pytest.mark.parametrize(("client_ids", "taken"), [(("kubectl",), True), (("robot",), False)])
def test_a_token_of_another_client_is_nobodys(
    new_introspection: NewIntrospection,
    openid_provider: OpenIDProvider,
    opaque_token: str,
    client_ids: tuple[str, ...],
    taken: bool,
) -> None:
    introspection = new_introspection(openid_provider.issuer, client_ids=client_ids)

    assert (introspection.authenticate_token(opaque_token, ()) is not None) is taken


def test_a_refresh_token_is_no_credential(
    new_introspection: NewIntrospection, openid_provider: OpenIDProvider
) -> None:
    introspection = new_introspection(openid_provider.issuer, audiences=(), client_ids=("kubectl",))
    tokens = openid_provider.grants.authorization_code("alice", resource=OPAQUE)

    assert introspection.authenticate_token(tokens["refresh_token"], ()) is None


GOOD = {
    "active": True,
    "aud": ["kubernetes"],
    "preferred_username": "alice",
    "token_type": "bearer",
    "client_id": "kubectl",
    "scope": "openid kube",
}


@pytest.mark.parametrize(
    "answer",
    [
        {"active": False},
        {**GOOD, "exp": 1},
        {**GOOD, "exp": "later"},
        {**GOOD, "nbf": 4_000_000_000},
        {**GOOD, "aud": None},
        {**GOOD, "aud": {"kubernetes": 1}},
        {**GOOD, "preferred_username": ""},
        {**GOOD, "preferred_username": None},
        {**GOOD, "groups": {"dev": 1}},
        {**GOOD, "token_type": "DPoP"},
        {**GOOD, "token_type": 7},
        {**GOOD, "scope": "openid"},
        {**GOOD, "scope": ["kube"]},
        {**GOOD, "tenant": "other"},
        {**GOOD, "cnf": {"x5t#S256": "a client certificate"}},
    ],
    ids=str,
)
def test_an_answer_that_is_not_good_enough_makes_a_token_nobodys(
    new_introspection: NewIntrospection, new_web_server: NewWebServer, answer: dict[str, Any]
) -> None:
    server = new_web_server(Answer({"tenant": "ours", **answer}))
    introspection = new_introspection(
        server.url, required_scopes=("kube",), claim_rules=(ClaimRule("tenant", "ours"),)
    )

    assert introspection.authenticate_token("opaque", ()) is None


def test_an_answer_that_is_good_enough_has_a_user(
    new_introspection: NewIntrospection, new_web_server: NewWebServer
) -> None:
    server = new_web_server(Answer(GOOD))

    identity = new_introspection(server.url).authenticate_token("opaque", ())

    assert identity is not None
    assert identity.user == UserInfo("alice")
    assert identity.expires_at is None


@pytest.mark.parametrize(
    "answer",
    [
        Answer({}, status=500),
        Answer({"active": True}, status=201),
        Answer({"error": "invalid_client"}, status=401),
        Answer(GOOD, status=302, headers={"Location": "/elsewhere"}),
        Answer(b"<html>"),
        Answer(b""),
        Answer([True]),
        Answer({}),
        Answer({**GOOD, "active": None}),
        Answer({**GOOD, "active": "true"}),
        Answer({**GOOD, "active": 1}),
        Answer({"active": "false", "error": "opaque-secret"}),
        Answer(b"{" + b'"a":1,' * 300_000),
    ],
    ids=lambda answer: str(answer)[:40],
)
def test_an_endpoint_that_cannot_answer_is_a_failure(
    new_introspection: NewIntrospection, new_web_server: NewWebServer, answer: Answer
) -> None:
    server = new_web_server(answer)
    introspection = new_introspection(server.url)

    with pytest.raises(BackendError) as failure:
        introspection.authenticate_token("opaque-secret", ())

    assert "opaque-secret" not in str(failure.value)
    assert AUTHSVC_SECRET not in str(failure.value)
    assert server.paths() == ["/token/introspection"]


def test_an_endpoint_that_hangs_is_a_failure_within_the_deadline(
    new_introspection: NewIntrospection, new_web_server: NewWebServer
) -> None:
    over = threading.Event()
    hanging = new_web_server(raw=lambda _: over.wait(60))
    introspection = new_introspection(hanging.url, http=HTTPSettings(timeout=0.2))

    with pytest.raises(BackendError, match="no answer in time"):
        introspection.authenticate_token("opaque", ())

    over.set()


def test_an_explanation_tells_each_step_and_no_secret(
    introspection: IntrospectionAuthenticator, opaque_token: str
) -> None:
    told = introspection.explain(opaque_token, ())

    assert [check.name for check in told.checks] == [
        "route",
        "active",
        "audience",
        "expiry",
        "username",
        "groups",
    ]
    assert opaque_token not in str(told)
    assert AUTHSVC_SECRET not in str(told)
