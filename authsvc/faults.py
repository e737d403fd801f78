"""What several parts refuse, told of all at once: one who mends a configuration wants it all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from authsvc.errors import (
    ConfigError,
    InvalidConfigurationError,
    InvalidPolicyError,
    PolicyError,
)


class Faults:
    """Collects the errors of parts that are made one after the other."""

    def __init__(self) -> None:
        self._configuration: list[ConfigError] = []
        self._policy: list[PolicyError] = []

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Go on after a part that refuses its files."""
        try:
            yield
        except InvalidConfigurationError as error:
            self._configuration += error.errors
        except InvalidPolicyError as error:
            self._policy += error.errors

    def raise_any(self) -> None:
        """Raise what was collected.

        Raises:
            InvalidPolicyError: faults of policy and table files alone.
            InvalidConfigurationError: others, with those of such files among them.
        """
        if self._configuration:
            of_files = [ConfigError(error.place, error.message) for error in self._policy]
            raise InvalidConfigurationError([*self._configuration, *of_files])
        if self._policy:
            raise InvalidPolicyError(self._policy)
