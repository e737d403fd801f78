"""Tokens for these tests, beside those by real grants: odd ones, signed by the provider's keys."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

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
    """Sign any claims and header with a key of the provider, or ``key``; None leaves one out.

    By hand, since a library would refuse to write what an attacker would.
    """
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
    parts = (_without_none(protected), _without_none(given))
    signed = ".".join(encode(json.dumps(part).encode()) for part in parts)
    signature = JWSRegistry.algorithms[algorithm].sign(signed.encode(), key)
    return f"{signed}.{encode(signature)}"


def encode(part: bytes) -> str:
    """Return a part of a JWS (RFC 7515 2)."""
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _without_none(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}
