"""A token that brings its own trust, or another algorithm, is nobody's; no URL in it is asked."""

from __future__ import annotations

import hmac
import json
from typing import Any, Literal

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from authsvc.authn.checks import Refused
from authsvc.authn.oidc.jws import Verifier, keys_for, read_keys
from authsvc.authn.oidc.settings import ALGORITHMS
from tests.authn.oidc import encode, sign
from tests.authn.oidc.conftest import NewOIDC
from tests.parts.openid_provider import OpenIDProvider
from tests.parts.web_server import Answer, NewWebServer


@pytest.mark.parametrize("header", [b"[" * 5000, b"{" * 5000, b"[]", b"7", b"\xff", b""])
def test_a_header_of_another_shape_is_refused(header: bytes) -> None:
    with pytest.raises(Refused, match="header"):
        Verifier(ALGORITHMS).read(f"{encode(header)}.{encode(b'{}')}.{encode(b'x')}")


def test_an_unsigned_token_is_nobodys(openid_provider: OpenIDProvider, new_oidc: NewOIDC) -> None:
    oidc = new_oidc(openid_provider)
    token = sign(openid_provider, algorithm="none", key=openid_provider.key("RSA"))

    assert oidc.authenticate_token(token, ()) is None
    assert oidc.authenticate_token(token.rpartition(".")[0] + ".", ()) is None


@pytest.mark.parametrize("encoding", ["PEM", "DER"])
def test_a_public_key_is_no_secret_of_hs256(
    openid_provider: OpenIDProvider, encoding: Literal["PEM", "DER"], new_oidc: NewOIDC
) -> None:
    public = openid_provider.key("RSA")
    assert isinstance(public, RSAKey)
    claims = sign(openid_provider).split(".")[1]
    header = json.dumps({"alg": "HS256", "kid": public.kid}).encode()
    signed = f"{encode(header)}.{claims}"
    secret = public.as_bytes(encoding=encoding, private=False)
    signature = hmac.digest(secret, signed.encode(), "sha256")

    oidc = new_oidc(openid_provider, algorithms=("RS256", "HS256"))

    assert oidc.authenticate_token(f"{signed}.{encode(signature)}", ()) is None


def test_an_algorithm_that_is_not_listed_is_not_taken(
    openid_provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    oidc = new_oidc(openid_provider, algorithms=("ES256",))

    assert oidc.authenticate_token(sign(openid_provider), ()) is None
    assert oidc.authenticate_token(sign(openid_provider, algorithm="ES256"), ()) is not None


def test_a_key_is_good_for_its_own_algorithm_only(
    openid_provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    oidc = new_oidc(openid_provider)
    of_another = {"kid": openid_provider.key("EC").kid}

    assert oidc.authenticate_token(sign(openid_provider, header=of_another), ()) is None


def test_ed25519_is_taken_by_its_new_name(
    openid_provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    oidc = new_oidc(openid_provider)

    assert oidc.authenticate_token(sign(openid_provider, algorithm="Ed25519"), ()) is not None


@pytest.mark.parametrize("algorithm", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("named", ["EdDSA", "Ed25519"])
def test_a_key_of_ed25519_is_one_by_either_name(named: str, algorithm: str) -> None:
    key = OKPKey.generate_key("Ed25519", {"alg": named})

    assert keys_for([key], None, algorithm) == (key,)


def test_a_token_without_a_key_id_is_tried_with_the_keys_of_its_algorithm(
    openid_provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    oidc = new_oidc(openid_provider)

    assert oidc.authenticate_token(sign(openid_provider, header={"kid": None}), ()) is not None


def test_a_token_that_brings_its_own_key_is_nobodys_and_its_urls_are_not_asked(
    openid_provider: OpenIDProvider, new_web_server: NewWebServer, new_oidc: NewOIDC
) -> None:
    own = RSAKey.generate_key(2048, {"use": "sig", "kid": "mine"})
    server = new_web_server(Answer({"keys": [own.as_dict(private=False)]}))
    oidc = new_oidc(openid_provider)
    headers: list[dict[str, Any]] = [
        {"jwk": own.as_dict(private=False)},
        {"jku": f"{server.url}/jwks"},
        {"x5u": f"{server.url}/chain"},
        {"kid": f"{server.url}/kid"},
        {"kid": openid_provider.key("RSA").kid},
    ]

    for header in headers:
        assert oidc.authenticate_token(sign(openid_provider, key=own, header=header), ()) is None
    assert server.asked == []


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": ["unknown"]},
        {"crit": []},
        {"crit": "exp"},
        {"crit": ["b64"], "b64": False},
        {"b64": True},
        {"kid": 7},
        {"kid": ["a"]},
        {"typ": 7},
        {"typ": "logout+jwt"},
        {"jwk": {}},
        {"jku": "http://127.0.0.1/"},
        {"x5u": "http://127.0.0.1/"},
        {"alg": 7},
    ],
    ids=str,
)
def test_a_header_that_is_not_understood_makes_a_token_nobodys(
    openid_provider: OpenIDProvider, header: dict[str, Any], new_oidc: NewOIDC
) -> None:
    token = sign(openid_provider, header=header)

    assert new_oidc(openid_provider).authenticate_token(token, ()) is None


@pytest.mark.parametrize(
    "payload",
    [b"[]", b'"alice"', b"7", b"null", b"", b"\xff", b"[" * 11_000],
    ids=["list", "text", "number", "null", "nothing", "no UTF-8", "deep"],
)
def test_what_was_signed_and_is_no_claims_is_refused(payload: bytes) -> None:
    key = ECKey.generate_key("P-256")
    token = jws.serialize_compact({"alg": "ES256"}, payload, key, algorithms=["ES256"])
    verifier = Verifier(ALGORITHMS)

    with pytest.raises(Refused, match="claims: not a JSON object"):
        verifier.verify(verifier.read(token), [key])


def test_an_unknown_header_that_is_not_critical_is_no_matter(
    openid_provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    token = sign(openid_provider, header={"nonce": "as Entra ID has it"})

    assert new_oidc(openid_provider).authenticate_token(token, ())


def test_keys_that_cannot_verify_are_left_out(openid_provider: OpenIDProvider) -> None:
    good = openid_provider.key("EC").as_dict(private=False)
    document = {
        "keys": [
            {**good, "use": "enc"},
            {**good, "key_ops": ["deriveKey"]},
            {**good, "key_ops": 7},
            {"kty": "oct", "k": "c2VjcmV0", "kid": "s"},
            {"kty": "AKP", "alg": "ML-DSA-44"},
            {**good, "x": "not a coordinate"},
            {"kty": "RSA", "n": encode(b"\xff" * 128), "e": "AQAB", "kid": "1024 bits"},
            "a string",
            good,
        ]
    }

    assert [key.kid for key in read_keys(document)] == [good["kid"]]


@pytest.mark.parametrize("document", [{}, [], None, {"keys": {}}, {"keys": []}, {"keys": [1]}])
def test_what_is_no_key_set_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match="JWK Set"):
        read_keys(document)
