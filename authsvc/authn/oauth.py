"""From the settings of an OAuth provider to its authenticator.

Each kind is imported when a configuration names it: a worker that needs none of
them carries neither an HTTP client nor JOSE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from authsvc.authn.checks import Explanation
from authsvc.authn.forge.settings import GitHubSettings, GitLabSettings
from authsvc.authn.introspection.settings import IntrospectionSettings
from authsvc.authn.oidc.settings import OIDCSettings
from authsvc.authn.routing import Route
from authsvc.interfaces import Identity
from authsvc.reloading import Reloading


class OAuthAuthenticator(Protocol):
    """A token authenticator that explains itself, runs something, and follows files."""

    @property
    def files(self) -> tuple[Reloading[Any], ...]:
        """What it follows; to be loaded before the first token."""
        ...

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """Return whose token this is."""
        ...

    def route(self, token: str) -> Route:
        """Say whether the token is meant for this provider; asks nobody."""
        ...

    def explain(self, token: str, audiences: Sequence[str]) -> Explanation:
        """Authenticate the token and tell each step."""
        ...

    def start(self) -> None:
        """Start what it runs."""
        ...

    def close(self) -> None:
        """Stop it."""
        ...


def authenticator(settings: object, name: str) -> OAuthAuthenticator | None:
    """Make the authenticator that settings are for; None where they are for no OAuth provider."""
    if isinstance(settings, OIDCSettings):
        from authsvc.authn.oidc.authenticator import OIDCAuthenticator

        return OIDCAuthenticator(settings, name)
    if isinstance(settings, IntrospectionSettings):
        from authsvc.authn.introspection.authenticator import IntrospectionAuthenticator

        return IntrospectionAuthenticator(settings, name)
    if isinstance(settings, GitHubSettings):
        from authsvc.authn.forge.github import GitHubAuthenticator

        return GitHubAuthenticator(settings, name)
    if isinstance(settings, GitLabSettings):
        from authsvc.authn.forge.gitlab import GitLabAuthenticator

        return GitLabAuthenticator(settings, name)
    return None
