"""The authorizer of the policy files: asks the snapshot that is current."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from authsvc.interfaces import Attributes, Decision
from authsvc.policy import PolicySnapshot


class CurrentPolicy(Protocol):
    """Where the snapshot in use comes from: ``authsvc.reloading.Reloading`` has this shape."""

    @property
    def current(self) -> PolicySnapshot:
        """The last good snapshot.

        Raises:
            NotReadyError: there never was one.
        """
        ...


class PolicyAuthorizer:
    """Decides by policy rows; an ``interfaces.Authorizer``.

    A decision is made by one snapshot from beginning to end, also while
    another one is being loaded. ``clock`` gives seconds since the epoch, for
    grants that hold for a time.
    """

    def __init__(self, policy: CurrentPolicy, clock: Callable[[], float] = time.time) -> None:
        self._policy = policy
        self._clock = clock

    def authorize(self, attributes: Attributes) -> Decision:
        """Decide.

        Raises:
            NotReadyError: no policy was ever loaded.
        """
        return self._policy.current.evaluator.decide(attributes, self._clock())
