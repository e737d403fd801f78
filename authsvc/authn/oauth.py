"""From the settings of an OAuth provider to its authenticator.

Each kind is imported when a configuration names it: a worker that needs none of
them carries neither an HTTP client nor JOSE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from authsvc.authn.forge.settings import GitHubSettings, GitLabSettings
from authsvc.authn.introspection.settings import IntrospectionSettings
from authsvc.authn.oidc.settings import OIDCSettings

if TYPE_CHECKING:
    from authsvc.authn.provider import ProviderAuthenticator


def authenticator(settings: object, name: str) -> ProviderAuthenticator | None:
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
