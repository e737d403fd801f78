"""The provider that other tests lean on does what its docstring says."""

from __future__ import annotations

import httpx
import pytest
from joserfc import jwt

from tests.parts.openid_provider import (
    AUTHSVC_SECRET,
    EDDSA,
    ES256,
    OPAQUE,
    RS256,
    NewOpenIDProvider,
    OpenIDProvider,
)
from tests.parts.openid_provider.grants import DEVICE_CODE, SCOPE


# RFC 9864 wants it called Ed25519 now; providers still say EdDSA.
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")
@pytest.mark.parametrize(
    ("resource", "kty", "algorithm"),
    [(RS256, "RSA", "RS256"), (ES256, "EC", "ES256"), (EDDSA, "OKP", "EdDSA")],
)
def test_a_resource_gives_a_jwt_access_token_of_its_algorithm(
    openid_provider: OpenIDProvider, resource: str, kty: str, algorithm: str
) -> None:
    tokens = openid_provider.grants.authorization_code("alice", resource=resource)

    token = jwt.decode(tokens["access_token"], openid_provider.key(kty), algorithms=[algorithm])

    assert token.header["typ"] == "at+jwt"
    assert token.claims["aud"] == "kubernetes"
    assert token.claims["groups"] == ["dev", "ops"]


def test_the_opaque_resource_gives_a_token_for_introspection(
    openid_provider: OpenIDProvider,
) -> None:
    tokens = openid_provider.grants.authorization_code("bob", resource=OPAQUE)

    answer = httpx.post(
        f"{openid_provider.issuer}/token/introspection",
        data={
            "token": tokens["access_token"],
            "client_id": "authsvc-post",
            "client_secret": AUTHSVC_SECRET,
        },
    ).json()

    assert answer["active"] is True
    assert (answer["sub"], answer["groups"], answer["aud"]) == ("bob", ["dev"], "kubernetes")


def test_a_device_is_logged_in_by_its_user(openid_provider: OpenIDProvider) -> None:
    request = {"client_id": "kubectl", "scope": SCOPE}
    device = httpx.post(f"{openid_provider.issuer}/device/auth", data=request).json()

    openid_provider.grants.approve_device(device["verification_uri_complete"], "bob")
    tokens = openid_provider.grants.token(
        grant_type=DEVICE_CODE, client_id="kubectl", device_code=device["device_code"]
    )

    claims = jwt.decode(tokens["id_token"], openid_provider.key("RSA")).claims
    assert claims["preferred_username"] == "bob"


def test_a_refresh_token_works_once(openid_provider: OpenIDProvider) -> None:
    grants = openid_provider.grants
    first = grants.authorization_code("alice")["refresh_token"]
    second = grants.refresh(first)["refresh_token"]

    with pytest.raises(AssertionError, match="invalid_grant"):
        grants.refresh(first)
    with pytest.raises(AssertionError, match="invalid_grant"):
        grants.refresh(second)  # the whole family is revoked


def test_a_provider_comes_back_where_it_was(new_openid_provider: NewOpenIDProvider) -> None:
    first = new_openid_provider()
    first.stop()

    second = new_openid_provider(keys=first.keys, port=first.port)

    assert second.issuer == first.issuer
    assert second.requests("/jwks") == 0
