"""What the authenticators of providers' tokens share: a provider's own module holds its checks.

A token is routed by its shape, then walks the provider's checks: once for a
verdict, or telling each step. Connections to the provider are one pool each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from authsvc.authn.checks import Explanation, Report, check_route, explanation, verdict
from authsvc.authn.http import HTTPClient
from authsvc.authn.http_settings import HTTPSettings
from authsvc.authn.routing import Route
from authsvc.interfaces import Identity
from authsvc.reloading import Reloading


class ProviderAuthenticator(ABC):
    """A token authenticator that explains itself, runs something, and follows files.

    ``files``: what it follows; they are to be loaded before the first token.
    """

    files: tuple[Reloading[Any], ...] = ()

    def __init__(self, http: HTTPSettings, name: str) -> None:
        """Prepare; nobody is asked yet."""
        self._name = name
        self._http = HTTPClient(http, name)

    @abstractmethod
    def route(self, token: str) -> Route:
        """Say whether the token is meant for this provider; asks nobody."""

    @abstractmethod
    def _authenticate(self, token: str, audiences: Sequence[str], report: Report) -> Identity:
        """Walk the checks.

        Raises:
            Refused: one of them failed.
            BackendError: one of them could not be made.
        """

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """Return whose token this is, or None where it is not meant for here or a check failed."""
        if not self.route(token).takes:
            return None
        return verdict(self._name, lambda report: self._authenticate(token, audiences, report))

    def explain(self, token: str, audiences: Sequence[str]) -> Explanation:
        """Authenticate the token and tell each step."""

        def steps(report: Report) -> Identity:
            check_route(self.route(token), report)
            return self._authenticate(token, audiences, report)

        return explanation(steps)

    def start(self) -> None:  # noqa: B027  most have nothing to start
        """Start what it runs; connections are opened as they are needed."""

    def close(self) -> None:
        """Stop it, and close connections."""
        self._http.close()
