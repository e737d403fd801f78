"""Whatever a token says, the answer is somebody or nobody: nothing in it breaks the verifier."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authsvc.authn.oidc.authenticator import OIDCAuthenticator
from tests.authn.oidc import sign
from tests.parts.openid_provider import OpenIDProvider

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(["aud", "exp", "nbf", "iat", "sub", "groups", "_claim_names", "x"])
HEADERS = st.sampled_from(["typ", "cty", "crit", "b64", "x5c", "x5t", "jwk", "nonce"])
# One authenticator and its keys serve all examples.
shared = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@shared
@given(claims=st.dictionaries(NAMES, JSON, max_size=4))
def test_any_claims_make_somebody_or_nobody(
    openid_provider: OpenIDProvider, oidc: OIDCAuthenticator, claims: dict[str, Any]
) -> None:
    identity = oidc.authenticate_token(sign(openid_provider, algorithm="ES256", **claims), ())

    if identity is not None:
        assert identity.user.username == claims.get("sub", "alice")
        assert "" not in identity.user.groups


@shared
@given(header=st.dictionaries(HEADERS, JSON, min_size=1, max_size=3))
def test_any_header_makes_somebody_or_nobody(
    openid_provider: OpenIDProvider, oidc: OIDCAuthenticator, header: dict[str, Any]
) -> None:
    token = sign(openid_provider, algorithm="ES256", header=header)

    identity = oidc.authenticate_token(token, ())

    said = {name for name, value in header.items() if value is not None}
    assert identity is None or not said & {"crit", "b64", "jwk"}


@shared
@given(position=st.integers(min_value=0), replacement=st.characters(codec="utf-8"))
def test_a_token_that_was_tampered_with_is_nobodys(
    openid_provider: OpenIDProvider, oidc: OIDCAuthenticator, position: int, replacement: str
) -> None:
    token = sign(openid_provider, algorithm="ES256")
    signed = token.rpartition(".")[0]
    position %= len(signed)
    tampered = signed[:position] + replacement + token[position + 1 :]

    if tampered != token:
        assert oidc.authenticate_token(tampered, ()) is None
