"""OIDC authenticators that are closed when their test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from authsvc.authn.oidc.authenticator import OIDCAuthenticator
from tests.authn.oidc import settings_for
from tests.parts.openid_provider import OpenIDProvider

NewOIDC = Callable[..., OIDCAuthenticator]


@pytest.fixture
def new_oidc() -> Iterator[NewOIDC]:
    """Make authenticators for a provider, with changes to their settings."""
    made: list[OIDCAuthenticator] = []

    def make(provider: OpenIDProvider, **changes: Any) -> OIDCAuthenticator:
        made.append(OIDCAuthenticator(settings_for(provider, **changes)))
        return made[-1]

    yield make
    for authenticator in made:
        authenticator.close()


@pytest.fixture
def oidc(openid_provider: OpenIDProvider, new_oidc: NewOIDC) -> OIDCAuthenticator:
    """An authenticator for the run's provider."""
    return new_oidc(openid_provider)
