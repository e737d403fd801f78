"""Whose names would be one user: what is not wrong in a configuration, but ought to be meant.

To Kubernetes a user is a name. Where two providers put the same before theirs,
``alice`` of the one has all that ``alice`` of the other was granted. Tables
(static tokens, passwords) are left out: who writes them knows whom they name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, assert_never

from authsvc.authn.forge.settings import GitHubSettings, GitLabSettings
from authsvc.authn.introspection.settings import IntrospectionSettings
from authsvc.authn.ldap.settings import LDAPSettings
from authsvc.authn.oidc.settings import OIDCSettings
from authsvc.authn.passwords_settings import StaticPasswordsSettings
from authsvc.authn.static_settings import StaticTokensSettings
from authsvc.config.model import AuthenticatorSettings, NamedAuthenticator
from authsvc.issuer.settings import IssuedSettings


class SharedNames(NamedTuple):
    """Authenticators of different people whose user names begin alike."""

    prefix: str
    authenticators: tuple[str, ...]

    def __str__(self) -> str:
        names = " and ".join(self.authenticators)
        how = f"both begin with {self.prefix!r}" if self.prefix else "have no prefix"
        return f"user names of {names} {how}: the same name of each is one user"


def shared_names(authenticators: Iterable[NamedAuthenticator]) -> list[SharedNames]:
    """Return the authenticators that could call two people by one name.

    One that is enriched by a directory is about the people of that directory.
    A prefix that an expression makes is not known.
    """
    by_prefix: dict[str, dict[str, list[str]]] = {}
    for each in authenticators:
        prefix = _prefix(each.settings)
        if prefix is not None:
            people = each.enrichment.authenticator if each.enrichment else each.name
            by_prefix.setdefault(prefix, {}).setdefault(people, []).append(each.name)
    return [
        SharedNames(prefix, tuple(name for names in people.values() for name in names))
        for prefix, people in by_prefix.items()
        if len(people) > 1
    ]


def _prefix(settings: AuthenticatorSettings) -> str | None:
    match settings:
        case LDAPSettings():
            return settings.username_prefix
        case OIDCSettings() | IntrospectionSettings() | GitHubSettings() | GitLabSettings():
            source = settings.mappings.username
            return source.prefix if source.expression is None else None
        case StaticTokensSettings() | StaticPasswordsSettings() | IssuedSettings():
            return None
        case _:
            assert_never(settings)
