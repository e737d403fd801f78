"""The issuer of a configuration, put together with the directories it asks.

A part of ``service.build``, imported where an issuer is configured: it knows
the issuer, the store and the authenticators, which do not know each other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from authsvc.authn.directories import Directories, Directory
from authsvc.authn.guard import GuardedTokenAuthenticator
from authsvc.authn.issued import IssuedTokenAuthenticator
from authsvc.authn.union import UnionTokenAuthenticator
from authsvc.config.model import IssuingSettings
from authsvc.interfaces import PasswordAuthenticator, TokenAuthenticator, UserLookup
from authsvc.issuer.issuer import Issuer
from authsvc.store.protocol import Store


class KnowsPeople(PasswordAuthenticator, UserLookup, Protocol):
    """An authenticator that people can log in with: it checks passwords and looks users up."""


class Issuing(NamedTuple):
    """An issuer, and the authenticator of what it issued."""

    issuer: Issuer
    authenticator: IssuedTokenAuthenticator


def put_together(
    settings: IssuingSettings,
    store: Store,
    people: Mapping[str, KnowsPeople],
    tokens: Mapping[str, TokenAuthenticator],
) -> Issuing:
    """Return the issuer that asks those of the authenticators that its settings name."""
    directories = Directories(
        [Directory(name, people[name], people[name]) for name in settings.passwords],
        time.time,
        ttl=settings.issuer.facts_ttl,
        stale=settings.issuer.facts_stale,
    )
    exchangeable = UnionTokenAuthenticator(
        [(name, GuardedTokenAuthenticator(tokens[name], name)) for name in settings.exchange]
    )
    issuer = Issuer(
        settings.issuer, store, directories, exchangeable if settings.exchange else None
    )
    authenticator = IssuedTokenAuthenticator(
        issuer.tokens, issuer.revocations, directories, settings.issuer.audience
    )
    return Issuing(issuer, authenticator)
