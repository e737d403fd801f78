"""The revocation endpoint (RFC 7009) ends sessions, of the client's own alone."""

from __future__ import annotations

import pytest

from tests.parts.issuer import House
from tests.webhook.oauth2.asking import Post, error_of, log_in


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_revoking_either_token_ends_the_session(post: Post, house: House, kind: str) -> None:
    tokens = log_in(post).get_json()
    assert house.authenticator.authenticate_token(tokens["access_token"], ()) is not None

    response = post("/oauth2/revoke", token=tokens[kind], token_type_hint=kind)

    assert response.status_code == 200
    assert house.authenticator.authenticate_token(tokens["access_token"], ()) is None
    refused = post(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert error_of(refused) == (400, "invalid_grant")


def test_revoking_what_is_not_good_any_more_is_no_error(post: Post) -> None:
    token = log_in(post).get_json()["refresh_token"]

    for each in (token, token, "nonsense", "a.b.c", token + "x"):
        assert post("/oauth2/revoke", token=each).status_code == 200


def test_a_token_of_another_client_cannot_be_revoked(post: Post, house: House) -> None:
    tokens = log_in(post).get_json()

    response = post("/oauth2/revoke", token=tokens["refresh_token"], client_id="refresher")

    assert error_of(response) == (400, "invalid_grant")
    assert house.authenticator.authenticate_token(tokens["access_token"], ()) is not None


def test_revoking_wants_a_client_and_a_token(post: Post) -> None:
    assert error_of(post("/oauth2/revoke", token="x", client_id="unknown")) == (
        401,
        "invalid_client",
    )
    assert error_of(post("/oauth2/revoke")) == (400, "invalid_request")
