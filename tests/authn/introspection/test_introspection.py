"""A token is good when its provider says that it is, for us, and now."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import ECKey, RSAKey

from authsvc.authn.claims import ClaimMapping, ClaimMappings, ClaimRule, GroupsMapping
from authsvc.authn.http_settings import HTTPSettings
from authsvc.authn.introspection.authenticator import IntrospectionAuthenticator
from authsvc.authn.introspection.settings import (
    ClientAuthentication,
    ClientMethod,
    IntrospectionSettings,
)
from authsvc.errors import BackendError, InvalidConfigurationError
from authsvc.interfaces import TokenAuthenticator, UserInfo
from tests.contract.token_authenticator import TokenAuthenticatorContract
from tests.parts.certificates import Authority
from tests.parts.openid_provider import (
    AUTHSVC_SECRET,
    OPAQUE,
    OTHER,
    RS256,
    NewOpenIDProvider,
    OpenIDProvider,
)
from tests.parts.web_server import Answer, NewWebServer

NewIntrospection = Callable[..., IntrospectionAuthenticator]
MAPPINGS = ClaimMappings(
    username=ClaimMapping("preferred_username"), groups=GroupsMapping(ClaimMapping("groups"))
)


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(AUTHSVC_SECRET + "\n", encoding="utf-8")
    return file


@pytest.fixture
def new_introspection(secret_file: Path) -> Iterator[NewIntrospection]:
    made: list[IntrospectionAuthenticator] = []

    def make(issuer: str, **changes: Any) -> IntrospectionAuthenticator:
        arguments: dict[str, Any] = {
            "url": f"{issuer}/token/introspection",
            "client": ClientAuthentication(ClientMethod.BASIC, "authsvc", secret_file),
            "mappings": MAPPINGS,
            "audiences": ("kubernetes",),
            **changes,
        }
        made.append(IntrospectionAuthenticator(IntrospectionSettings(**arguments)))
        for file in made[-1].files:
            file.load()
        return made[-1]

    yield make
    for authenticator in made:
        authenticator.close()


@pytest.fixture
def introspection(
    openid_provider: OpenIDProvider, new_introspection: NewIntrospection
) -> IntrospectionAuthenticator:
    return new_introspection(openid_provider.issuer)


@pytest.fixture
def opaque_token(openid_provider: OpenIDProvider) -> str:
    tokens = openid_provider.grants.authorization_code("alice", resource=OPAQUE)
    return str(tokens["access_token"])


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
        {},
        {"active": False},
        {"active": "true"},
        {"active": 1},
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
    ("key", "algorithm"),
    [
        (RSAKey.generate_key(2048), "ES256"),
        (ECKey.generate_key("P-256"), "RS256"),
        (ECKey.generate_key("secp256k1"), ""),
    ],
    ids=["rsa", "ec", "curve"],
)
def test_a_key_that_does_not_suit_its_algorithm_refuses_to_load(
    new_introspection: NewIntrospection, tmp_path: Path, key: RSAKey | ECKey, algorithm: str
) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(key.as_bytes(encoding="PEM", private=True))
    client = ClientAuthentication(
        ClientMethod.PRIVATE_KEY_JWT, "authsvc", file, algorithm=algorithm
    )

    with pytest.raises(InvalidConfigurationError, match="not a key for"):
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
)
def test_a_file_without_a_usable_secret_refuses_to_load(
    new_introspection: NewIntrospection, tmp_path: Path, method: ClientMethod, content: bytes | None
) -> None:
    file = tmp_path / "unusable"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(InvalidConfigurationError, match="unusable"):
        new_introspection("https://x.test", client=ClientAuthentication(method, "c", file))


def test_an_explanation_tells_each_step_and_no_secret(
    introspection: IntrospectionAuthenticator, opaque_token: str
) -> None:
    told = introspection.explain(opaque_token, ())

    assert [check.name for check in told.checks] == [
        "active",
        "audience",
        "expiry",
        "username",
        "groups",
    ]
    assert opaque_token not in str(told)
    assert AUTHSVC_SECRET not in str(told)
