"""A store and the counters in it, from their settings."""

from __future__ import annotations

import time

from authsvc.attempts import AttemptCounter, Curve, MemoryAttemptCounter
from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.store.attempts import StoreAttemptCounter
from authsvc.store.protocol import Store
from authsvc.store.redis import RedisSettings, RedisStore
from authsvc.store.sqlite import SQLiteSettings, SQLiteStore


def open_store(settings: SQLiteSettings | RedisSettings) -> Store:
    """Return the store, which connects when it is first asked.

    Raises:
        InvalidConfigurationError: redis-py is not installed.
    """
    if isinstance(settings, SQLiteSettings):
        return SQLiteStore(settings)
    try:
        import redis  # noqa: F401  only to see that the extra is there
    except ImportError:
        message = "type Redis needs the extra redis: pip install '.[redis]' in the sources"
        raise InvalidConfigurationError([ConfigError("store", message)]) from None
    return RedisStore(settings)


def attempt_counter(curve: Curve, store: Store | None) -> AttemptCounter:
    """Return a counter of failed attempts, shared where there is a store to share."""
    if store is None:
        return MemoryAttemptCounter(curve)
    return StoreAttemptCounter(store, curve, time.time)
