"""The issuer of a configuration, put together with the directories it asks.

A part of ``service.build``: what is here knows the issuer, the store and the
authenticators, which do not know each other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from authsvc.attempts import AttemptCounter, MemoryAttemptCounter
from authsvc.authn.directories import Directories, Directory
from authsvc.authn.guard import GuardedTokenAuthenticator
from authsvc.authn.issued import IssuedTokenAuthenticator
from authsvc.authn.union import UnionTokenAuthenticator
from authsvc.config.model import Configuration, IssuingSettings
from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.interfaces import PasswordAuthenticator, TokenAuthenticator, UserLookup
from authsvc.issuer.issuer import Issuer
from authsvc.store.protocol import Store, StoreAttemptCounter
from authsvc.store.redis import RedisSettings, RedisStore
from authsvc.store.sqlite import SQLiteStore


@runtime_checkable
class KnowsPeople(PasswordAuthenticator, UserLookup, Protocol):
    """An authenticator that people can log in with: it checks passwords and looks users up."""


class Issuing:
    """An issuer, and the authenticator of what it issued."""

    def __init__(
        self,
        settings: IssuingSettings,
        store: Store,
        authenticators: Mapping[str, object],
    ) -> None:
        """Put it together out of the configured authenticators, by name."""
        directories = Directories(
            [_directory(name, authenticators[name]) for name in settings.passwords],
            time.time,
            ttl=settings.issuer.facts_ttl,
            stale=settings.issuer.facts_stale,
        )
        self.issuer = Issuer(
            settings.issuer, store, directories, _exchangeable(settings, authenticators)
        )
        self.authenticator = IssuedTokenAuthenticator(
            self.issuer.tokens,
            self.issuer.revocations,
            directories,
            settings.issuer.audience,
        )


def open_store(configuration: Configuration) -> Store | None:
    """Return the configured store, which connects when it is first asked; None for none.

    Raises:
        InvalidConfigurationError: redis-py is not installed.
    """
    settings = configuration.store
    if not isinstance(settings, RedisSettings):
        return None if settings is None else SQLiteStore(settings)
    try:
        import redis  # noqa: F401  only to see that the extra is there
    except ImportError:
        message = "type Redis needs redis-py: pip install 'authsvc[redis]'"
        raise InvalidConfigurationError([ConfigError("store", message)]) from None
    return RedisStore(settings)


def password_attempts(configuration: Configuration, store: Store | None) -> AttemptCounter:
    """Return the counter of failed passwords, shared where there is a store to share."""
    curve = configuration.authentication.password_attempts
    if store is None:
        return MemoryAttemptCounter(curve)
    return StoreAttemptCounter(store, curve, time.time)


def _directory(name: str, authenticator: object) -> Directory:
    if not isinstance(authenticator, KnowsPeople):
        raise TypeError(f"{name} does not know people")  # the configuration has refused it
    return Directory(name, authenticator, authenticator)


def _exchangeable(
    settings: IssuingSettings, authenticators: Mapping[str, object]
) -> TokenAuthenticator | None:
    if not settings.exchange:
        return None
    guarded = []
    for name in settings.exchange:
        authenticator = authenticators[name]
        if not hasattr(authenticator, "authenticate_token"):
            raise TypeError(f"{name} knows no tokens")  # the configuration has refused it
        guarded.append((name, GuardedTokenAuthenticator(authenticator, name)))
    return UnionTokenAuthenticator(guarded)
