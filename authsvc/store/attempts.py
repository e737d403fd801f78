"""Failed attempts counted in a store: one count for all who share it."""

from __future__ import annotations

from collections.abc import Callable

from authsvc.attempts import Curve
from authsvc.store.protocol import Store


class StoreAttemptCounter:
    """An AttemptCounter for all workers and machines that share the store."""

    def __init__(self, store: Store, curve: Curve, clock: Callable[[], float]) -> None:
        self._store = store
        self._curve = curve
        self._clock = clock

    def admit(self, key: str) -> float:
        """See AttemptCounter."""
        return self._store.admit(key, self._clock(), self._curve)

    def succeeded(self, key: str) -> None:
        """See AttemptCounter."""
        self._store.forgive(key)

    def withdrawn(self, key: str) -> None:
        """See AttemptCounter."""
        self._store.withdraw(key)
