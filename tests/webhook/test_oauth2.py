"""The token endpoint over HTTP: what is asked, what is answered, what is never said."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
import structlog
from authlib.oidc.discovery import OpenIDProviderMetadata
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from authsvc.attempts import Curve
from authsvc.interfaces import Identity, UserInfo
from authsvc.issuer.issuer import Issuer
from authsvc.issuer.settings import (
    DEFAULT_CLIENT,
    GRANTS,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
    ClientSettings,
)
from authsvc.webhook.oauth2 import blueprint
from tests.parts.issuer import PASSWORD, URL, House, MakeHouse

Post = Callable[..., TestResponse]
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


class Provider:
    """An OpenID provider's tokens, as an authenticator of this service knows them."""

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        del audiences
        return Identity(UserInfo("oidc:carol")) if token == "canary-id-token" else None


@pytest.fixture
def house(make_house: MakeHouse, tmp_path: Path) -> House:
    secret = tmp_path / "secret"
    secret.write_text("canary:s€cret\n")
    clients = (
        ClientSettings(DEFAULT_CLIENT),
        ClientSettings("robot", GRANTS, secret),
        ClientSettings("refresher", frozenset({REFRESH_TOKEN})),
    )
    proxies = (ip_network("10.0.0.0/8"),)
    return make_house(
        exchangeable=Provider(), changes={"clients": clients, "trusted_proxies": proxies}
    )


def client_of(current: Callable[[], Issuer | None]) -> FlaskClient:
    app = Flask("test")
    app.register_blueprint(blueprint(current))
    return app.test_client()


@pytest.fixture
def client(house: House) -> FlaskClient:
    return client_of(lambda: house.issuer)


@pytest.fixture
def post(client: FlaskClient) -> Post:
    def post(path: str = "/oauth2/token", **form: str) -> TestResponse:
        return client.post(path, base_url=URL, data={"client_id": DEFAULT_CLIENT} | form)

    return post


def _log_in(post: Post, **changes: str) -> TestResponse:
    return post(**{"grant_type": "password", "username": "alice", "password": PASSWORD} | changes)


def _error(response: TestResponse) -> tuple[int, str]:
    assert response.headers["Cache-Control"] == "no-store"
    assert response.content_type == "application/json"
    return response.status_code, response.get_json()["error"]


def test_a_password_is_answered_as_rfc_6749_says(post: Post) -> None:
    response = _log_in(post, scope="openid offline_access")

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    answer = response.get_json()
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 600
    assert answer["refresh_token"].startswith("authsvc_rt_")
    assert set(answer) == {"access_token", "token_type", "expires_in", "refresh_token"}


def test_a_refresh_token_is_answered_with_both_tokens_anew(post: Post) -> None:
    first = _log_in(post).get_json()

    second = post(grant_type="refresh_token", refresh_token=first["refresh_token"]).get_json()

    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]


def test_a_token_of_a_provider_is_exchanged_as_rfc_8693_says(post: Post) -> None:
    response = post(
        grant_type=TOKEN_EXCHANGE, subject_token="canary-id-token", subject_token_type=ID_TOKEN
    )

    assert response.status_code == 200
    answer = response.get_json()
    assert answer["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert "refresh_token" not in answer


def test_a_wrong_password_and_an_unknown_user_are_the_same_answer(post: Post) -> None:
    wrong, unknown = _log_in(post, password="x"), _log_in(post, username="x")

    assert _error(wrong) == (400, "invalid_grant")
    assert wrong.data == unknown.data
    assert wrong.status_code == unknown.status_code


def test_too_many_wrong_passwords_are_told_when_to_come_back(post: Post, house: House) -> None:
    for _ in range(3):
        _log_in(post, password="x")
    house.clock.advance(0.5)

    response = _log_in(post)

    assert _error(response) == (429, "slow_down")
    assert response.headers["Retry-After"] == "30"
    assert "30 seconds" in response.get_json()["error_description"]


def test_a_user_of_too_many_groups_is_told_what_an_administrator_can_do(
    post: Post, house: House
) -> None:
    row, _, _ = house.table.rows["alice"].rpartition(":")
    house.table.rows["alice"] = f'{row}:"{",".join("g" * 90 + str(each) for each in range(200))}"'
    house.table.write()

    response = _log_in(post)

    assert _error(response) == (400, "invalid_request")
    assert "issuer.tokens.groups: false" in response.get_json()["error_description"]


def test_a_directory_that_is_down_is_temporary(post: Post, house: House) -> None:
    house.table.down = True

    response = _log_in(post)

    assert _error(response) == (503, "temporarily_unavailable")
    assert "Retry-After" not in response.headers
    assert "table" not in response.text


def test_a_store_that_is_down_is_temporary_for_every_endpoint(post: Post, house: House) -> None:
    token = _log_in(post).get_json()["refresh_token"]
    house.opened.close()
    file = house.folder / "store.db"
    file.rename(house.folder / "away")
    file.mkdir()

    for response in (
        _log_in(post),
        post(grant_type="refresh_token", refresh_token=token),
        post("/oauth2/revoke", token=token),
    ):
        assert _error(response) == (503, "temporarily_unavailable")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": 'é"\\'}, "unsupported_grant_type"),
        ({"grant_type": "password"}, "invalid_request"),
        ({"grant_type": "password", "username": "alice"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "é"}, "invalid_grant"),
        ({"grant_type": TOKEN_EXCHANGE, "subject_token": "x"}, "invalid_request"),
        (
            {"grant_type": TOKEN_EXCHANGE, "subject_token": "x", "subject_token_type": "x"},
            "invalid_request",
        ),
        (
            {"grant_type": TOKEN_EXCHANGE, "subject_token": "x", "subject_token_type": ID_TOKEN},
            "invalid_request",
        ),
        (
            {
                "grant_type": TOKEN_EXCHANGE,
                "subject_token": "canary-id-token",
                "subject_token_type": ID_TOKEN,
                "actor_token": "x",
            },
            "invalid_request",
        ),
        (
            {
                "grant_type": TOKEN_EXCHANGE,
                "subject_token": "canary-id-token",
                "subject_token_type": ID_TOKEN,
                "requested_token_type": "urn:ietf:params:oauth:token-type:saml2",
            },
            "invalid_request",
        ),
        (
            {
                "grant_type": "password",
                "username": "alice",
                "password": PASSWORD,
                "audience": "another",
            },
            "invalid_target",
        ),
        (
            {
                "grant_type": "password",
                "username": "alice",
                "password": PASSWORD,
                "resource": "https://x",
            },
            "invalid_target",
        ),
    ],
)
def test_a_request_that_is_none_is_told_what_is_wrong(
    post: Post, form: dict[str, str], error: str
) -> None:
    assert _error(post(**form)) == (400, error)


def test_parameters_in_the_url_are_refused(client: FlaskClient) -> None:
    form = {"grant_type": "password", "username": "alice", "password": PASSWORD}

    in_url = client.post("/oauth2/token?client_id=" + DEFAULT_CLIENT, base_url=URL, data=form)

    assert _error(in_url) == (400, "invalid_request")


def test_a_parameter_that_is_given_twice_is_refused(client: FlaskClient) -> None:
    twice = f"grant_type=password&client_id={DEFAULT_CLIENT}&username=alice&password=x&password=y"

    response = client.post(
        "/oauth2/token", base_url=URL, data=twice, content_type="application/x-www-form-urlencoded"
    )

    assert _error(response) == (400, "invalid_request")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data"])
def test_another_form_of_body_is_refused(client: FlaskClient, content_type: str) -> None:
    body = json.dumps({"grant_type": "password"})

    response = client.post("/oauth2/token", base_url=URL, data=body, content_type=content_type)

    assert _error(response) == (400, "invalid_request")


def test_a_body_that_is_too_large_is_refused(post: Post) -> None:
    assert _error(_log_in(post, password="x" * 70_000)) == (413, "invalid_request")


def test_a_request_without_tls_is_refused(client: FlaskClient) -> None:
    response = client.post("/oauth2/token", base_url="http://authsvc.example.org", data={"a": "b"})

    assert _error(response) == (400, "insecure_transport")


def test_other_methods_are_refused(client: FlaskClient) -> None:
    assert client.get("/oauth2/token", base_url=URL).status_code == 405


def test_without_an_issuer_there_is_nothing_there() -> None:
    client = client_of(lambda: None)

    assert client.post("/oauth2/token", base_url=URL).status_code == 404
    for path in ("/oauth2/jwks", "/.well-known/openid-configuration"):
        assert client.get(path, base_url=URL).status_code == 404


def _basic(client_id: str, secret: str) -> dict[str, str]:
    pair = f"{client_id}:{secret}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


FORM = {"grant_type": "password", "username": "alice", "password": PASSWORD}


def test_a_client_with_a_secret_says_it_in_the_header_or_in_the_form(client: FlaskClient) -> None:
    # In the header both parts are form-encoded first (RFC 6749 2.3.1).
    header = _basic("robot", "canary%3As%E2%82%ACcret")
    in_header = client.post("/oauth2/token", base_url=URL, data=FORM, headers=header)
    given = {"client_id": "robot", "client_secret": "canary:s€cret"}
    in_form = client.post("/oauth2/token", base_url=URL, data=FORM | given)

    assert (in_header.status_code, in_form.status_code) == (200, 200)


def test_every_wrong_client_is_the_same_answer(client: FlaskClient) -> None:
    answers = [
        client.post("/oauth2/token", base_url=URL, data=FORM | form, headers=headers)
        for form, headers in [
            ({}, {}),
            ({"client_id": "unknown"}, {}),
            ({"client_id": "unknown", "client_secret": ""}, {}),
            ({"client_id": "unknown", "client_secret": "x"}, {}),
            ({"client_id": "robot"}, {}),
            ({"client_id": "robot", "client_secret": "x"}, {}),
            ({"client_id": DEFAULT_CLIENT, "client_secret": "x"}, {}),
            ({}, _basic("robot", "x")),
            ({}, _basic("unknown", "x")),
            ({}, {"Authorization": "Basic é"}),
            ({}, {"Authorization": "Bearer x"}),
        ]
    ]

    assert {_error(answer) for answer in answers} == {(401, "invalid_client")}
    assert len({answer.data for answer in answers}) == 1
    assert all(answer.headers["WWW-Authenticate"].startswith("Basic ") for answer in answers)


def test_guessing_at_a_clients_secret_is_slowed(make_house: MakeHouse, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("right\n")
    house = make_house(
        changes={
            "clients": (ClientSettings("robot", GRANTS, secret), ClientSettings(DEFAULT_CLIENT)),
            "address_attempts": Curve(free=3, first_wait=30, longest_wait=900, forget_after=3600),
        }
    )
    client = client_of(lambda: house.issuer)

    def ask(path: str, client_secret: str) -> int:
        form = FORM | {"client_id": "robot", "client_secret": client_secret, "token": "x"}
        return client.post(path, base_url=URL, data=form).status_code

    wrong = [ask("/oauth2/token", "x"), ask("/oauth2/revoke", "x"), ask("/oauth2/token", "x")]
    assert wrong == [401, 401, 401]
    assert [ask(path, "right") for path in ("/oauth2/token", "/oauth2/revoke")] == [429, 429]
    # People behind the same address log in as before.
    public = client.post("/oauth2/token", base_url=URL, data=FORM | {"client_id": DEFAULT_CLIENT})
    assert public.status_code == 200
    house.clock.advance(30)
    assert ask("/oauth2/token", "right") == 200


def test_two_ways_of_authentication_at_once_are_refused(client: FlaskClient) -> None:
    form = FORM | {"client_id": "robot", "client_secret": "x"}

    response = client.post("/oauth2/token", base_url=URL, data=form, headers=_basic("robot", "x"))

    assert _error(response) == (400, "invalid_request")


def test_a_client_uses_the_grants_it_has_only(post: Post) -> None:
    assert _error(_log_in(post, client_id="refresher")) == (400, "unauthorized_client")


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_revoking_either_token_ends_the_session(post: Post, house: House, kind: str) -> None:
    tokens = _log_in(post).get_json()
    assert house.authenticator.authenticate_token(tokens["access_token"], ()) is not None

    response = post("/oauth2/revoke", token=tokens[kind], token_type_hint=kind)

    assert response.status_code == 200
    assert house.authenticator.authenticate_token(tokens["access_token"], ()) is None
    refused = post(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert _error(refused) == (400, "invalid_grant")


def test_revoking_what_is_not_good_any_more_is_no_error(post: Post) -> None:
    token = _log_in(post).get_json()["refresh_token"]

    for each in (token, token, "nonsense", "a.b.c", token + "x"):
        assert post("/oauth2/revoke", token=each).status_code == 200


def test_a_token_of_another_client_cannot_be_revoked(post: Post, house: House) -> None:
    tokens = _log_in(post).get_json()

    response = post("/oauth2/revoke", token=tokens["refresh_token"], client_id="refresher")

    assert _error(response) == (400, "invalid_grant")
    assert house.authenticator.authenticate_token(tokens["access_token"], ()) is not None


def test_revoking_wants_a_client_and_a_token(post: Post) -> None:
    assert _error(post("/oauth2/revoke", token="x", client_id="unknown")) == (401, "invalid_client")
    assert _error(post("/oauth2/revoke")) == (400, "invalid_request")


@pytest.mark.parametrize("name", ["openid-configuration", "oauth-authorization-server"])
def test_the_discovery_document_is_valid(client: FlaskClient, name: str) -> None:
    response = client.get(f"/.well-known/{name}", base_url=URL)

    document = response.get_json()
    assert response.content_type == "application/json"
    assert document["issuer"] == URL
    assert document["jwks_uri"] == f"{URL}/oauth2/jwks"
    assert document["id_token_signing_alg_values_supported"] == ["ES256"]
    assert document["grant_types_supported"] == ["password", "refresh_token", TOKEN_EXCHANGE]
    checked = OpenIDProviderMetadata(document)
    # There is no authorization endpoint, as no grant here uses one, and there
    # are no ID tokens, of which RS256 would have to be an algorithm.
    not_here = {"authorization_endpoint", "id_token_signing_alg_values_supported"}
    for key in set(checked.REGISTRY_KEYS) - not_here:
        getattr(checked, f"validate_{key}")()


def test_an_issuer_of_exchanged_tokens_alone_says_so(make_house: MakeHouse) -> None:
    house = make_house(exchangeable=Provider(), changes={"takes_passwords": False})
    client = client_of(lambda: house.issuer)

    document = client.get("/.well-known/openid-configuration", base_url=URL).get_json()

    assert document["grant_types_supported"] == [TOKEN_EXCHANGE]


def test_whoever_has_the_published_keys_verifies_a_token(client: FlaskClient, post: Post) -> None:
    token = _log_in(post).get_json()["access_token"]
    published = client.get("/oauth2/jwks", base_url=URL)

    keys = KeySet.import_key_set(published.get_json())

    assert jwt.decode(token, keys, algorithms=["ES256"]).claims["sub"] == "alice"
    assert published.headers["Cache-Control"] == "public, max-age=60"


@given(
    form=st.dictionaries(
        st.sampled_from(
            [
                *("grant_type", "username", "password", "refresh_token", "subject_token"),
                *("subject_token_type", "audience", "client_id", "client_secret", "token", "x"),
            ]
        ),
        st.text(max_size=40) | st.sampled_from([*GRANTS, DEFAULT_CLIENT, "robot", ID_TOKEN]),
    ),
    authorization=st.none() | st.binary(max_size=40),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_form_makes_the_endpoints_fail(
    client: FlaskClient, form: dict[str, str], authorization: bytes | None
) -> None:
    headers = {}
    if authorization is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(authorization).decode()

    for path in ("/oauth2/token", "/oauth2/revoke"):
        response = client.post(path, base_url=URL, data=form, headers=headers)

        assert response.status_code in {200, 400, 401, 429}
        if response.status_code != 200:
            assert response.get_json()["error"]
        assert "access_token" not in response.get_json()


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.7", "", "192.0.2.7"),
        ("192.0.2.7", "198.51.100.9", "192.0.2.7"),
        ("10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("10.0.0.1", "203.0.113.5, 198.51.100.9, 10.0.0.2", "198.51.100.9"),
        ("10.0.0.1", "not an address", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("::ffff:10.0.0.1", "198.51.100.9", "198.51.100.9"),
        ("::ffff:192.0.2.7", "198.51.100.9", "::ffff:192.0.2.7"),
        ("::1", "198.51.100.9", "::1"),
    ],
)
def test_the_address_of_a_session_is_one_that_nobody_can_make_up(
    client: FlaskClient, house: House, peer: str, forwarded: str, address: str
) -> None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    form = FORM | {"client_id": DEFAULT_CLIENT}

    client.post(
        "/oauth2/token",
        base_url=URL,
        data=form,
        headers=headers,
        environ_base={"REMOTE_ADDR": peer},
    )

    (session,) = house.opened.sessions(house.clock())
    assert session.address == address


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """Catch every log of every library, at the most verbose level there is."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root, before = logging.getLogger(), structlog.get_config()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.NOTSET)
    for name in ("authlib", "werkzeug", "flask", "joserfc"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(written))
    yield written
    root.removeHandler(handler)
    root.setLevel(level)
    structlog.configure(**before)


def test_no_secret_is_in_any_log_or_answer(
    post: Post, client: FlaskClient, house: House, everything_logged: io.StringIO
) -> None:
    tokens = _log_in(post).get_json()
    refreshed = post(grant_type="refresh_token", refresh_token=tokens["refresh_token"]).get_json()
    exchanged = post(
        grant_type=TOKEN_EXCHANGE, subject_token="canary-id-token", subject_token_type=ID_TOKEN
    ).get_json()
    house.clock.advance(60)
    answers = [
        post(grant_type="refresh_token", refresh_token=tokens["refresh_token"]),
        _log_in(post, password="canary-wrong"),
        _log_in(post, username=PASSWORD, password="canary-wrong"),
        client.post("/oauth2/token", base_url=URL, data=FORM, headers=_basic("robot", "canary-x")),
        post(grant_type=TOKEN_EXCHANGE, subject_token="canary-id-x", subject_token_type=ID_TOKEN),
        post("/oauth2/revoke", token=exchanged["access_token"]),
    ]
    house.table.down = True
    answers.append(_log_in(post))

    logged = everything_logged.getvalue()
    said = logged + "".join(answer.text + str(answer.headers) for answer in answers)

    for event in ("session_opened", "refresh_token_reused_session_ended", "login_failed"):
        assert event in logged
    assert "canary" not in said
    for answer in (tokens, refreshed, exchanged):
        for kind in ("access_token", "refresh_token"):
            if kind in answer:
                assert answer[kind] not in said
                assert answer[kind].rpartition(".")[2] not in said


def test_a_reloaded_issuer_serves_the_next_request(make_house: MakeHouse, house: House) -> None:
    other = make_house(changes={"url": URL + "/elsewhere"})
    current = [house.issuer]
    client = client_of(lambda: current[0])

    current[0] = other.issuer

    document = client.get("/.well-known/openid-configuration", base_url=URL).get_json()
    assert document["issuer"] == replace(other.settings).url
