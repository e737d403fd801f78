"""Tokens for these tests, beside those by real grants: odd ones, signed by the provider's keys."""

from __future__ import annotations

import time
from typing import Any

from joserfc import jwt
from joserfc.jws import JWSRegistry

from authsvc.authn.claims import ClaimMapping, ClaimMappings, GroupsMapping
from authsvc.authn.oidc.settings import OIDCSettings
from tests.parts.openid_provider import OpenIDProvider

AUDIENCE = "kubernetes"
MAPPINGS = ClaimMappings(
    username=ClaimMapping("sub"),
    groups=GroupsMapping(ClaimMapping("groups")),
)
_KEY_TYPES = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP", "Ed25519": "OKP"}


class _AnyHeader(JWSRegistry):
    """Signs whatever header it is given, as an attacker would."""

    def check_header(self, header: dict[str, Any]) -> None:
        pass

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


def settings_for(provider: OpenIDProvider, **changes: Any) -> OIDCSettings:
    """Return settings for a provider's tokens."""
    arguments = {"mappings": MAPPINGS, "audiences": (AUDIENCE, "kubectl"), **changes}
    return OIDCSettings(issuer=provider.issuer, **arguments)


def sign(
    provider: OpenIDProvider,
    *,
    algorithm: str = "RS256",
    header: dict[str, Any] | None = None,
    key: Any = None,
    **claims: Any,
) -> str:
    """Sign claims with a key of the provider (or ``key``); None leaves a claim out."""
    now = int(time.time())
    given = {
        "iss": provider.issuer,
        "aud": AUDIENCE,
        "sub": "alice",
        "exp": now + 60,
        "iat": now,
        **claims,
    }
    if key is None:
        key = provider.key(_KEY_TYPES[algorithm])
    protected = {"alg": algorithm, "kid": getattr(key, "kid", None), **(header or {})}
    return jwt.encode(
        {name: value for name, value in protected.items() if value is not None},
        {name: value for name, value in given.items() if value is not None},
        key,
        registry=_AnyHeader(),
    )
