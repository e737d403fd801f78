"""How authsvc proves to the provider who it is."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey, RSAKey

from authsvc.authn.http_settings import HTTPSettings
from authsvc.authn.introspection.settings import ClientAuthentication, ClientMethod
from authsvc.errors import BackendError, InvalidConfigurationError
from tests.authn.introspection.conftest import NewIntrospection
from tests.parts.certificates import Authority
from tests.parts.openid_provider import AUTHSVC_SECRET, OPAQUE, NewOpenIDProvider, OpenIDProvider


def test_a_secret_in_the_form_is_taken(
    new_introspection: NewIntrospection,
    openid_provider: OpenIDProvider,
    secret_file: Path,
    opaque_token: str,
) -> None:
    client = ClientAuthentication(ClientMethod.POST, "authsvc-post", secret_file)

    assert new_introspection(openid_provider.issuer, client=client).authenticate_token(
        opaque_token, ()
    )


def test_a_signed_assertion_is_taken_and_good_for_one_use(
    new_introspection: NewIntrospection, new_openid_provider: NewOpenIDProvider, tmp_path: Path
) -> None:
    key = ECKey.generate_key("P-256", {"use": "sig", "kid": "authsvc-1"})
    file = tmp_path / "key.pem"
    file.write_bytes(key.as_bytes(encoding="PEM", private=True))
    provider = new_openid_provider(
        clients=[
            {
                "client_id": "authsvc-jwt",
                "token_endpoint_auth_method": "private_key_jwt",
                "token_endpoint_auth_signing_alg": "ES256",
                "jwks": {"keys": [key.as_dict(private=False)]},
                "redirect_uris": [],
                "response_types": [],
                "grant_types": ["client_credentials"],
            }
        ]
    )
    client = ClientAuthentication(
        ClientMethod.PRIVATE_KEY_JWT,
        "authsvc-jwt",
        file,
        key_id="authsvc-1",
        assertion_audience=provider.issuer,
    )
    introspection = new_introspection(provider.issuer, client=client)
    token = provider.grants.authorization_code("alice", resource=OPAQUE)["access_token"]

    for _ in range(2):  # the provider refuses an assertion that it has seen
        assert introspection.authenticate_token(token, ())


@pytest.mark.parametrize(
    ("key", "algorithm", "message"),
    [
        (RSAKey.generate_key(2048), "ES256", "not a key for ES256"),
        (ECKey.generate_key("P-256"), "RS256", "not a key for RS256"),
        (ECKey.generate_key("P-384"), "ES256", "not a key for ES256"),
        (ECKey.generate_key("secp256k1"), "", "curve secp256k1 is not one of P-256"),
    ],
    ids=["rsa", "ec", "another curve", "curve"],
)
def test_a_key_that_does_not_suit_its_algorithm_refuses_to_load(
    new_introspection: NewIntrospection,
    tmp_path: Path,
    key: RSAKey | ECKey,
    algorithm: str,
    message: str,
) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(key.as_bytes(encoding="PEM", private=True))
    client = ClientAuthentication(
        ClientMethod.PRIVATE_KEY_JWT, "authsvc", file, algorithm=algorithm
    )

    with pytest.raises(InvalidConfigurationError, match=message):
        new_introspection("https://x.test", client=client)


def test_a_client_certificate_is_taken(
    new_introspection: NewIntrospection, new_openid_provider: NewOpenIDProvider, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    server, client_files = authority.issue("server", "127.0.0.1"), authority.issue("authsvc")
    certificate = x509.load_pem_x509_certificate(client_files.certificate.read_bytes())
    x5c = [base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()]
    public = ECKey.import_key(client_files.key.read_bytes()).as_dict(private=False)
    provider = new_openid_provider(
        tls={"certificate": str(server.certificate), "key": str(server.key)},
        clients=[
            {
                "client_id": "authsvc-tls",
                "token_endpoint_auth_method": "self_signed_tls_client_auth",
                "jwks": {"keys": [{**public, "x5c": x5c}]},
                "redirect_uris": [],
                "response_types": [],
                "grant_types": ["client_credentials"],
            }
        ],
    )
    token = provider.grants.authorization_code("alice", resource=OPAQUE)["access_token"]
    client = ClientAuthentication(ClientMethod.TLS, "authsvc-tls")
    http = HTTPSettings(
        ca_file=authority.certificate,
        client_cert_file=client_files.certificate,
        client_key_file=client_files.key,
    )

    with_certificate = new_introspection(provider.issuer, client=client, http=http)
    without = new_introspection(
        provider.issuer, client=client, http=HTTPSettings(ca_file=authority.certificate)
    )

    assert with_certificate.authenticate_token(token, ())
    with pytest.raises(BackendError, match="refuses authsvc"):
        without.authenticate_token(token, ())


def test_a_rotated_secret_is_used_without_a_restart(
    new_introspection: NewIntrospection, openid_provider: OpenIDProvider, tmp_path: Path
) -> None:
    file = tmp_path / "rotating"
    file.write_text("old", encoding="utf-8")
    client = ClientAuthentication(ClientMethod.BASIC, "authsvc", file)
    introspection = new_introspection(openid_provider.issuer, client=client)
    token = openid_provider.grants.authorization_code("alice", resource=OPAQUE)["access_token"]
    with pytest.raises(BackendError, match="refuses authsvc"):
        introspection.authenticate_token(token, ())

    file.write_text(AUTHSVC_SECRET, encoding="utf-8")
    assert introspection.files[0].reload()

    assert introspection.authenticate_token(token, ())


@pytest.mark.parametrize(
    ("method", "content"),
    [
        (ClientMethod.BASIC, None),
        (ClientMethod.BASIC, b"\n"),
        (ClientMethod.BASIC, b"\xff"),
        (ClientMethod.PRIVATE_KEY_JWT, b"not a key"),
        (
            ClientMethod.PRIVATE_KEY_JWT,
            ECKey.generate_key("P-256").as_bytes(encoding="PEM", private=False),
        ),
    ],
    ids=["missing", "empty", "not UTF-8", "not a key", "a public key"],
)
def test_a_file_without_a_usable_secret_refuses_to_load(
    new_introspection: NewIntrospection, tmp_path: Path, method: ClientMethod, content: bytes | None
) -> None:
    file = tmp_path / "unusable"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(InvalidConfigurationError, match="unusable"):
        new_introspection("https://x.test", client=ClientAuthentication(method, "c", file))
