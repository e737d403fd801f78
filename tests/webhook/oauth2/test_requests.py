"""Which requests are read at all, what is wrong with the others, and where one came from."""

from __future__ import annotations

import base64
import json

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authsvc.issuer.settings import DEFAULT_CLIENT, GRANTS, TOKEN_EXCHANGE
from tests.parts.issuer import PASSWORD, URL, House
from tests.webhook.oauth2.asking import FORM, ID_TOKEN, Post, error_of, log_in


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
    assert error_of(post(**form)) == (400, error)


def test_parameters_in_the_url_are_refused(client: FlaskClient) -> None:
    form = {"grant_type": "password", "username": "alice", "password": PASSWORD}

    in_url = client.post("/oauth2/token?client_id=" + DEFAULT_CLIENT, base_url=URL, data=form)

    assert error_of(in_url) == (400, "invalid_request")


def test_a_parameter_that_is_given_twice_is_refused(client: FlaskClient) -> None:
    twice = f"grant_type=password&client_id={DEFAULT_CLIENT}&username=alice&password=x&password=y"

    response = client.post(
        "/oauth2/token", base_url=URL, data=twice, content_type="application/x-www-form-urlencoded"
    )

    assert error_of(response) == (400, "invalid_request")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data"])
def test_another_form_of_body_is_refused(client: FlaskClient, content_type: str) -> None:
    body = json.dumps({"grant_type": "password"})

    response = client.post("/oauth2/token", base_url=URL, data=body, content_type=content_type)

    assert error_of(response) == (400, "invalid_request")


def test_a_body_that_is_too_large_is_refused(post: Post) -> None:
    assert error_of(log_in(post, password="x" * 70_000)) == (413, "invalid_request")


def test_a_request_without_tls_is_refused(client: FlaskClient) -> None:
    response = client.post("/oauth2/token", base_url="http://authsvc.example.org", data={"a": "b"})

    assert error_of(response) == (400, "insecure_transport")


def test_other_methods_are_refused(client: FlaskClient) -> None:
    assert client.get("/oauth2/token", base_url=URL).status_code == 405


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
