"""``type: OAuth2Introspection``: tokens whose provider is asked about each one (RFC 7662)."""

from __future__ import annotations

from typing import Literal

import msgspec

from authsvc.authn.introspection.settings import (
    ClientAuthentication,
    ClientMethod,
    IntrospectionSettings,
)
from authsvc.config.v1alpha1.claims import Claims
from authsvc.config.v1alpha1.http import HTTP, checked_url
from authsvc.decoding.structs import Duration, Place, Wire, seconds


class Client(Wire, frozen=True):
    """How authsvc proves to the provider who it is.

    ``clientSecretFile`` for the two ClientSecret methods, ``privateKeyFile``
    for PrivateKeyJWT; for TLSClientCertificate the certificate is in ``http``.
    """

    id: str
    method: ClientMethod = ClientMethod.BASIC
    secret_file: str = ""
    private_key_file: str = ""
    key_id: str = msgspec.field(name="keyID", default="")
    algorithm: Literal["", "RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"] = ""
    assertion_audience: str = ""

    def to_settings(self, at: Place) -> ClientAuthentication:
        """Convert to the internal model."""
        files = {"secretFile": self.secret_file, "privateKeyFile": self.private_key_file}
        wanted = {
            ClientMethod.BASIC: "secretFile",
            ClientMethod.POST: "secretFile",
            ClientMethod.PRIVATE_KEY_JWT: "privateKeyFile",
        }.get(self.method, "")
        for name, value in files.items():
            if name == wanted and not value:
                at.field(name).error(f"required for method {self.method.value}")
            if name != wanted and value:
                at.field(name).error(f"does not belong to method {self.method.value}")
        file = files.get(wanted, "")
        return ClientAuthentication(
            method=self.method,
            client_id=self.id,
            file=at.field(wanted).existing_file(file) if file else None,
            key_id=self.key_id,
            algorithm=self.algorithm,
            assertion_audience=self.assertion_audience,
        )


class OAuth2Introspection(Claims, frozen=True, kw_only=True):
    """An endpoint, which tokens it is asked about, and which answers are good."""

    url: str
    client: Client
    audiences: tuple[str, ...] = ()
    client_ids: tuple[str, ...] = msgspec.field(name="clientIDs", default=())
    required_scopes: tuple[str, ...] = ()
    userinfo_url: str = msgspec.field(name="userinfoURL", default="")
    token_prefixes: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()
    clock_skew: Duration = "10s"
    http: HTTP = HTTP()

    def to_settings(self, at: Place) -> IntrospectionSettings:
        """Convert to the internal model."""
        if not self.audiences and not self.client_ids:
            at.error(
                "expected audiences or clientIDs: without either, a token that was given to any"
                " client of the provider would be good here"
            )
        if self.client.method is ClientMethod.TLS and not self.http.client_cert_file:
            at.field("http").field("clientCertFile").error("required for TLSClientCertificate")
        if not all(self.token_prefixes):
            at.field("tokenPrefixes").error("none may be empty")
        userinfo = self.userinfo_url
        return IntrospectionSettings(
            url=checked_url(self.url, at.field("url")),
            client=self.client.to_settings(at.field("client")),
            mappings=self.to_mappings(at),
            audiences=self.audiences,
            client_ids=self.client_ids,
            required_scopes=self.required_scopes,
            userinfo_url=checked_url(userinfo, at.field("userinfoURL")) if userinfo else "",
            token_prefixes=self.token_prefixes,
            issuers=self.issuers,
            api_audiences=self.api_audiences,
            claim_rules=self.to_claim_rules(at),
            user_rules=self.to_user_rules(at),
            clock_skew=seconds(self.clock_skew),
            http=self.http.to_settings(at.field("http")),
        )
