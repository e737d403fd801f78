"""What is to be configured about an introspection endpoint, whatever file it stood in."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from authsvc.authn.claims import ClaimMappings, ClaimRule, UserRule
from authsvc.authn.http_settings import HTTPSettings


class ClientMethod(Enum):
    """How authsvc proves to the provider who it is (RFC 6749 2.3.1, RFC 7523 2.2, RFC 8705)."""

    BASIC = "ClientSecretBasic"
    POST = "ClientSecretPost"
    PRIVATE_KEY_JWT = "PrivateKeyJWT"
    TLS = "TLSClientCertificate"


@dataclass(frozen=True, slots=True)
class ClientAuthentication:
    """The client that authsvc is to the provider.

    ``file`` holds the secret (BASIC, POST) or a private key in PEM
    (PRIVATE_KEY_JWT) and is read anew when it changes. ``key_id`` and
    ``algorithm`` go into a JWT's header; without the one it has none, without
    the other it is what suits the key. ``assertion_audience`` is whom it is
    for, by default the endpoint.
    """

    method: ClientMethod
    client_id: str
    file: Path | None = None
    key_id: str = ""
    algorithm: str = ""
    assertion_audience: str = ""


@dataclass(frozen=True, slots=True)
class IntrospectionSettings:
    """An endpoint, which tokens are asked about, and which answers are good.

    ``userinfo_url`` is asked for claims that the introspection lacks; empty for
    never. ``token_prefixes``: tokens that start otherwise are not taken; empty
    means every opaque token that is not evidently for somebody else.
    ``issuers``: JWTs that name one of these are asked about as well.
    ``audiences`` and ``client_ids``: the answer must name one of each that is
    given, and one of the two must be given.
    """

    url: str
    client: ClientAuthentication
    mappings: ClaimMappings
    audiences: tuple[str, ...] = ()
    client_ids: tuple[str, ...] = ()
    required_scopes: tuple[str, ...] = ()
    userinfo_url: str = ""
    token_prefixes: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()
    api_audiences: tuple[str, ...] = ()
    claim_rules: tuple[ClaimRule, ...] = ()
    user_rules: tuple[UserRule, ...] = ()
    clock_skew: float = 10.0
    http: HTTPSettings = field(default_factory=HTTPSettings)
