"""``type: OIDC``: JWTs of an OpenID Connect provider.

``issuer``, ``claimMappings`` and the validation rules are those of a ``jwt``
entry of Kubernetes' AuthenticationConfiguration.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from authsvc.authn.oidc.settings import ALGORITHMS, Algorithm, OIDCSettings, TokenType
from authsvc.config.v1alpha1.claims import Claims
from authsvc.config.v1alpha1.http import HTTP, checked_url
from authsvc.decoding.structs import Duration, Place, Wire, seconds


class Issuer(Wire, frozen=True):
    """Who issues the tokens, and for whom they must be meant."""

    url: str
    audiences: tuple[str, ...]
    audience_match_policy: Literal["", "MatchAny"] = "MatchAny"
    discovery_url: str = msgspec.field(name="discoveryURL", default="")
    jwks_url: str = msgspec.field(name="jwksURL", default="")
    certificate_authority: str = ""

    def check(self, at: Place) -> None:
        """Record what is wrong."""
        checked_url(self.url, at.field("url"))
        if self.discovery_url:
            checked_url(self.discovery_url, at.field("discoveryURL"))
        if self.jwks_url:
            checked_url(self.jwks_url, at.field("jwksURL"))
            if self.discovery_url:
                at.field("discoveryURL").error("not used where jwksURL is given")
        if not self.audiences or not all(self.audiences):
            at.field("audiences").error("at least one is required, and none may be empty")


class OIDC(Claims, frozen=True, kw_only=True):
    """A provider."""

    issuer: Issuer
    token_type: TokenType = TokenType.ANY
    signing_algorithms: tuple[Algorithm, ...] = ALGORITHMS
    clock_skew: Duration = "10s"
    refresh_interval: Duration = "5m"
    http: HTTP = HTTP()

    def to_settings(self, at: Place) -> OIDCSettings:
        """Convert to the internal model."""
        issuer = self.issuer
        issuer.check(at.field("issuer"))
        algorithms = at.field("signingAlgorithms")
        if not self.signing_algorithms and not algorithms.has_errors():
            algorithms.error("at least one is required")
        return OIDCSettings(
            issuer=issuer.url,
            audiences=issuer.audiences,
            discovery_url=issuer.discovery_url,
            jwks_url=issuer.jwks_url,
            api_audiences=self.api_audiences,
            mappings=self.to_mappings(at),
            claim_rules=self.to_claim_rules(at),
            user_rules=self.to_user_rules(at),
            algorithms=self.signing_algorithms,
            token_type=self.token_type,
            clock_skew=seconds(self.clock_skew),
            refresh_interval=seconds(self.refresh_interval),
            http=self.http.to_settings(at.field("http"), issuer.certificate_authority),
        )
