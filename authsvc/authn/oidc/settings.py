"""What is to be configured about an OpenID Connect provider, whatever file it stood in."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, get_args

from authsvc.authn.claims import ClaimMappings, ClaimRule, UserRule
from authsvc.authn.http_settings import HTTPSettings

# Asymmetric ones only (RFC 7518 3.1, RFC 8037, RFC 9864): a verifier that also
# took HS256 could be handed a token signed with the public key as the secret.
Algorithm = Literal[
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)


class TokenType(Enum):
    """Which JWTs are taken: any that could be an ID or access token, or RFC 9068's alone."""

    ANY = "Any"
    ACCESS_TOKEN = "AccessToken"  # noqa: S105  a kind, not a token


@dataclass(frozen=True, slots=True)
class OIDCSettings:
    """A provider, which of its tokens are good, and whom they name.

    ``issuer`` is compared to the ``iss`` of tokens and of the discovery
    document, character by character. ``discovery_url`` and ``jwks_url`` replace
    the URL that the issuer implies; with the latter nothing is discovered.
    ``audiences``: one of them must be in ``aud``. ``api_audiences``: the API
    server's audiences for which these tokens are good; empty means those of
    the API server that asks. ``clock_skew``, ``refresh_interval`` (keys are fetched anew
    in the background) and ``refetch_interval`` (an unknown key id fetches no
    sooner) in seconds.
    """

    issuer: str
    audiences: tuple[str, ...]
    mappings: ClaimMappings
    discovery_url: str = ""
    jwks_url: str = ""
    api_audiences: tuple[str, ...] = ()
    claim_rules: tuple[ClaimRule, ...] = ()
    user_rules: tuple[UserRule, ...] = ()
    algorithms: tuple[Algorithm, ...] = ALGORITHMS
    token_type: TokenType = TokenType.ANY
    clock_skew: float = 10.0
    refresh_interval: float = 300.0
    refetch_interval: float = 5.0
    http: HTTPSettings = field(default_factory=HTTPSettings)
