"""What the issuer publishes of itself: its metadata and its keys."""

from __future__ import annotations

from dataclasses import replace

import pytest
from authlib.oidc.discovery import OpenIDProviderMetadata
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet

from authsvc.issuer.settings import TOKEN_EXCHANGE
from tests.parts.issuer import URL, House, MakeHouse
from tests.webhook.oauth2.asking import Post, Provider, client_of, log_in


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
    token = log_in(post).get_json()["access_token"]
    published = client.get("/oauth2/jwks", base_url=URL)

    keys = KeySet.import_key_set(published.get_json())

    assert jwt.decode(token, keys, algorithms=["ES256"]).claims["sub"] == "alice"
    assert published.headers["Cache-Control"] == "public, max-age=60"


def test_a_reloaded_issuer_serves_the_next_request(make_house: MakeHouse, house: House) -> None:
    other = make_house(changes={"url": URL + "/elsewhere"})
    current = [house.issuer]
    client = client_of(lambda: current[0])

    current[0] = other.issuer

    document = client.get("/.well-known/openid-configuration", base_url=URL).get_json()
    assert document["issuer"] == replace(other.settings).url


def test_without_an_issuer_there_is_nothing_there() -> None:
    client = client_of(lambda: None)

    assert client.post("/oauth2/token", base_url=URL).status_code == 404
    for path in ("/oauth2/jwks", "/.well-known/openid-configuration"):
        assert client.get(path, base_url=URL).status_code == 404
