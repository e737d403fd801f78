"""``authentication``: the chain of authenticators and the cache in front of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Protocol

import msgspec

from authsvc.authn.static_settings import StaticTokensSettings
from authsvc.config.model import (
    AuthenticationSettings,
    AuthenticatorSettings,
    CacheSettings,
    NamedAuthenticator,
)
from authsvc.config.v1alpha1.attempts import Attempts
from authsvc.config.v1alpha1.enrichment import Enrichment
from authsvc.config.v1alpha1.forge import GitHub, GitLab
from authsvc.config.v1alpha1.introspection import OAuth2Introspection
from authsvc.config.v1alpha1.issuer import (
    KNOW_NO_TOKENS,
    KNOW_PEOPLE,
    Issued,
    StaticPasswords,
)
from authsvc.config.v1alpha1.ldap import LDAP
from authsvc.config.v1alpha1.oidc import OIDC
from authsvc.decoding.structs import Duration, Place, Wire, readable, seconds


class Cache(Wire, frozen=True):
    """How long a verdict about a token is kept."""

    ttl: Duration = "60s"
    rejected_ttl: Duration = msgspec.field(name="rejectedTTL", default="10s")
    size: Annotated[int, msgspec.Meta(ge=0)] = 100_000

    def to_settings(self) -> CacheSettings:
        """Convert to the internal model."""
        return CacheSettings(seconds(self.ttl), seconds(self.rejected_ttl), self.size)


class StaticTokens(Wire, frozen=True):
    """Tokens in a file, in the CSV form that Kubernetes has for them."""

    file: str

    def to_settings(self, at: Place) -> StaticTokensSettings:
        """Convert to the internal model."""
        return StaticTokensSettings(file=at.field("file").existing_file(self.file))


class _Provider(Protocol):
    def to_settings(self, at: Place) -> AuthenticatorSettings: ...


class Authenticator(Wire, frozen=True):
    """One provider: an envelope, and under the field of its type what that type needs."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
    type: Literal[
        "GitHub",
        "GitLab",
        "Issued",
        "LDAP",
        "OAuth2Introspection",
        "OIDC",
        "StaticPasswords",
        "StaticTokens",
    ]
    enrichment: Enrichment | None = None
    github: GitHub | None = None
    gitlab: GitLab | None = None
    issued: Issued | None = None
    ldap: LDAP | None = None
    oauth2_introspection: OAuth2Introspection | None = None
    oidc: OIDC | None = None
    static_passwords: StaticPasswords | None = None
    static_tokens: StaticTokens | None = None

    def to_settings(self, at: Place) -> NamedAuthenticator | None:
        """Convert to the internal model; None where an error was recorded."""
        given: dict[str, _Provider] = {
            field.encode_name: getattr(self, field.name)
            for field in msgspec.structs.fields(self)
            if field.name not in {"name", "type", "enrichment"}
            and getattr(self, field.name) is not None
        }
        expected = field_of(self.type)
        for name in given:
            if name != expected:
                at.field(name).error(f"does not belong to type {self.type}")
        provider = given.get(expected) or _NOTHING_TO_SAY.get(self.type)
        if provider is None:
            if not at.field(expected).has_errors():
                at.field(expected).error(f"required for type {self.type}")
            return None
        return NamedAuthenticator(
            self.name,
            provider.to_settings(at.field(expected)),
            self.enrichment.to_settings() if self.enrichment else None,
        )


def field_of(type_: str) -> str:
    """Return the field that holds what a type needs: StaticTokens → staticTokens, LDAP → ldap."""
    return _FIELDS.get(type_, type_[0].lower() + type_[1:])


# Types that need nothing: their field may be left out.
_NOTHING_TO_SAY: Mapping[str, _Provider] = {"Issued": Issued()}

# Where a type's name is an abbreviation or a brand, the rule above would misspell it.
_FIELDS = {
    "LDAP": "ldap",
    "OIDC": "oidc",
    "OAuth2Introspection": "oauth2Introspection",
    "GitHub": "github",
    "GitLab": "gitlab",
}


class Authentication(Wire, frozen=True):
    """Who is this?"""

    audiences: tuple[str, ...] = ()
    cache: Cache = Cache()
    password_attempts: Attempts = Attempts()
    authenticators: tuple[Authenticator, ...] = ()

    def types(self) -> dict[str, str]:
        """Return the types of the authenticators by name."""
        return {each.name: each.type for _, each in readable(self.authenticators)}

    def to_settings(self, at: Place) -> AuthenticationSettings:
        """Convert to the internal model."""
        place = at.field("authenticators")
        seen: set[str] = set()
        authenticators = []
        for index, authenticator in readable(self.authenticators):
            item = place.item(index)
            if authenticator.name in seen:
                item.field("name").error(f"{authenticator.name!r} is given twice")
            seen.add(authenticator.name)
            self._check_enrichment(authenticator, item.field("enrichment"))
            settings = authenticator.to_settings(item)
            if settings is not None:
                authenticators.append(settings)
        return AuthenticationSettings(
            self.audiences,
            self.cache.to_settings(),
            tuple(authenticators),
            self.password_attempts.to_settings(at.field("passwordAttempts")),
        )

    def _check_enrichment(self, authenticator: Authenticator, at: Place) -> None:
        if authenticator.enrichment is None:
            return
        if authenticator.type in KNOW_NO_TOKENS:
            at.error(f"of no use for type {authenticator.type}")
        named = authenticator.enrichment.authenticator
        type_ = self.types().get(named)
        if type_ not in KNOW_PEOPLE or named == authenticator.name:
            types = " or ".join(sorted(KNOW_PEOPLE))
            at.field("authenticator").error(f"{named!r} is no other authenticator of type {types}")
