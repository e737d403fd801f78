"""Keys are fetched when they are needed and no oftener, and outlive their provider's absence."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from authsvc.authn.http_settings import HTTPSettings
from authsvc.errors import BackendError
from tests.authn.oidc import sign
from tests.authn.oidc.conftest import NewOIDC
from tests.parts.certificates import Authority
from tests.parts.openid_provider import NewOpenIDProvider, OpenIDProvider
from tests.parts.waiting import eventually
from tests.parts.web_server import Answer, NewWebServer


@pytest.fixture
def provider(new_openid_provider: NewOpenIDProvider) -> OpenIDProvider:
    return new_openid_provider()


def test_keys_are_fetched_once_for_many_tokens(provider: OpenIDProvider, new_oidc: NewOIDC) -> None:
    oidc = new_oidc(provider)

    for number in range(20):
        assert oidc.authenticate_token(sign(provider, sub=f"user-{number}"), ())

    assert provider.requests("/jwks") == 1
    assert provider.requests("/.well-known/openid-configuration") == 1


def test_a_rotated_key_is_fetched_at_once(provider: OpenIDProvider, new_oidc: NewOIDC) -> None:
    oidc = new_oidc(provider, refetch_interval=0.0)
    assert oidc.authenticate_token(sign(provider), ())

    provider.rotate_keys()

    assert oidc.authenticate_token(sign(provider), ())
    assert provider.requests("/jwks") == 2


def test_a_hundred_made_up_key_ids_fetch_keys_once(
    provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    oidc = new_oidc(provider)
    assert oidc.authenticate_token(sign(provider), ())

    for number in range(100):
        token = sign(provider, header={"kid": f"made-up-{number}"})
        assert oidc.authenticate_token(token, ()) is None

    assert provider.requests("/jwks") == 1


def test_tokens_that_come_together_share_one_fetch(
    provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    oidc = new_oidc(provider)
    tokens = [sign(provider, sub=f"user-{number}") for number in range(16)]
    names: list[str] = []

    def ask(token: str) -> None:
        identity = oidc.authenticate_token(token, ())
        assert identity is not None
        names.append(identity.user.username)

    threads = [threading.Thread(target=ask, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(names)) == 16
    assert provider.requests("/jwks") == 1


def test_keys_outlive_their_provider_and_an_unknown_one_is_a_failure(
    provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    oidc = new_oidc(provider, refetch_interval=0.0)
    good, unknown = sign(provider), sign(provider, header={"kid": "unknown"})
    assert oidc.authenticate_token(good, ())

    provider.stop()

    assert oidc.authenticate_token(good, ())
    with pytest.raises(BackendError):
        oidc.authenticate_token(unknown, ())


def test_without_keys_a_token_is_a_failure_and_not_a_bad_one(
    provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    token = sign(provider)
    provider.stop()
    oidc = new_oidc(provider)

    with pytest.raises(BackendError) as failure:
        oidc.authenticate_token(token, ())

    assert token not in str(failure.value)


def test_keys_are_refreshed_in_the_background(provider: OpenIDProvider, new_oidc: NewOIDC) -> None:
    oidc = new_oidc(provider, refresh_interval=0.05)
    oidc.start()
    oidc.start()  # as the interface allows
    eventually(lambda: provider.requests("/jwks") >= 3, "keys are fetched again and again")
    oidc.close()
    oidc.close()


def test_a_token_of_an_issuer_that_is_not_configured_costs_no_request(
    provider: OpenIDProvider, openid_provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    oidc = new_oidc(provider)

    assert oidc.authenticate_token(sign(openid_provider), ()) is None
    assert oidc.authenticate_token(sign(provider, iss=provider.issuer + "/"), ()) is None

    assert provider.requests("/jwks") == 0


def test_two_issuers_stand_side_by_side(
    provider: OpenIDProvider, openid_provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    first, second = (new_oidc(each) for each in (provider, openid_provider))
    token = sign(openid_provider)

    assert first.authenticate_token(token, ()) is None
    assert second.authenticate_token(token, ()) is not None
    forged = sign(openid_provider, iss=provider.issuer)
    assert first.authenticate_token(forged, ()) is None
    assert second.authenticate_token(forged, ()) is None


def test_a_redirect_from_the_key_endpoint_is_not_followed(
    openid_provider: OpenIDProvider, new_web_server: NewWebServer, new_oidc: NewOIDC
) -> None:
    to = {"Location": f"{openid_provider.issuer}/jwks"}
    server = new_web_server(Answer(status=302, headers=to))
    oidc = new_oidc(openid_provider, jwks_url=f"{server.url}/jwks")

    with pytest.raises(BackendError, match="status 302"):
        oidc.authenticate_token(sign(openid_provider), ())


def test_keys_come_from_the_configured_url_without_discovery(
    openid_provider: OpenIDProvider, new_web_server: NewWebServer, new_oidc: NewOIDC
) -> None:
    keys = [openid_provider.key("RSA").as_dict(private=False)]
    server = new_web_server(Answer({"keys": keys}))
    oidc = new_oidc(openid_provider, jwks_url=f"{server.url}/keys")

    assert oidc.authenticate_token(sign(openid_provider), ())
    assert server.paths() == ["/keys"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer({"issuer": "https://other.test", "jwks_uri": "https://x"}), "other.test"),
        (Answer({"jwks_uri": "https://x.test"}), "issuer None"),
        (Answer(b"<html>"), "not JSON"),
        (Answer([]), "not a JSON object"),
        (Answer(b"[" * 100_000), "not JSON"),
        (Answer({}, status=500), "status 500"),
    ],
)
def test_a_discovery_document_that_is_not_the_issuers_is_a_failure(
    openid_provider: OpenIDProvider,
    new_web_server: NewWebServer,
    answer: Answer,
    message: str,
    new_oidc: NewOIDC,
) -> None:
    server = new_web_server(answer)
    oidc = new_oidc(openid_provider, discovery_url=f"{server.url}/d")

    with pytest.raises(BackendError, match=message):
        oidc.authenticate_token(sign(openid_provider), ())


def test_keys_by_plain_http_from_elsewhere_are_never_asked_for(
    openid_provider: OpenIDProvider, new_web_server: NewWebServer, new_oidc: NewOIDC
) -> None:
    document = {"issuer": openid_provider.issuer, "jwks_uri": "http://keys.test/jwks"}
    server = new_web_server(Answer(document))
    oidc = new_oidc(openid_provider, discovery_url=f"{server.url}/d")

    with pytest.raises(BackendError, match="https is required"):
        oidc.authenticate_token(sign(openid_provider), ())


def test_a_provider_elsewhere_cannot_name_a_port_of_this_machine(
    openid_provider: OpenIDProvider, new_web_server: NewWebServer, new_oidc: NewOIDC, tmp_path: Path
) -> None:
    inside = new_web_server(Answer({}))
    document = {"issuer": openid_provider.issuer, "jwks_uri": f"{inside.url}/jwks"}
    authority = Authority(tmp_path)
    server = new_web_server(Answer(document), tls=authority.server_tls("127.0.0.1"))
    oidc = new_oidc(
        openid_provider,
        discovery_url=f"{server.url}/d",
        http=HTTPSettings(ca_file=authority.certificate),
    )

    with pytest.raises(BackendError, match="jwks_uri is not https"):
        oidc.authenticate_token(sign(openid_provider), ())

    assert server.paths() == ["/d"]
    assert inside.asked == []


def test_keys_that_come_too_late_or_are_too_many_are_a_failure(
    openid_provider: OpenIDProvider, new_web_server: NewWebServer, new_oidc: NewOIDC
) -> None:
    key = ECKey.generate_key("P-256").as_dict(private=False)
    many = new_web_server(Answer({"keys": [key] * 10_000}))
    oidc = new_oidc(
        openid_provider, jwks_url=f"{many.url}/", http=HTTPSettings(max_response=100_000)
    )

    with pytest.raises(BackendError, match="over 100000 bytes"):
        oidc.authenticate_token(sign(openid_provider), ())
