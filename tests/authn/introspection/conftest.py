"""Authenticators that ask an endpoint, and are closed when their test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from authsvc.authn.claims import ClaimMapping, ClaimMappings, GroupsMapping
from authsvc.authn.introspection.authenticator import IntrospectionAuthenticator
from authsvc.authn.introspection.settings import (
    ClientAuthentication,
    ClientMethod,
    IntrospectionSettings,
)
from tests.parts.openid_provider import AUTHSVC_SECRET, OPAQUE, OpenIDProvider

NewIntrospection = Callable[..., IntrospectionAuthenticator]
MAPPINGS = ClaimMappings(
    username=ClaimMapping("preferred_username"), groups=GroupsMapping(ClaimMapping("groups"))
)


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(AUTHSVC_SECRET + "\n", encoding="utf-8")
    return file


@pytest.fixture
def new_introspection(secret_file: Path) -> Iterator[NewIntrospection]:
    made: list[IntrospectionAuthenticator] = []

    def make(issuer: str, **changes: Any) -> IntrospectionAuthenticator:
        arguments: dict[str, Any] = {
            "url": f"{issuer}/token/introspection",
            "client": ClientAuthentication(ClientMethod.BASIC, "authsvc", secret_file),
            "mappings": MAPPINGS,
            "audiences": ("kubernetes",),
            **changes,
        }
        made.append(IntrospectionAuthenticator(IntrospectionSettings(**arguments)))
        for file in made[-1].files:
            file.load()
        return made[-1]

    yield make
    for authenticator in made:
        authenticator.close()


@pytest.fixture
def introspection(
    openid_provider: OpenIDProvider, new_introspection: NewIntrospection
) -> IntrospectionAuthenticator:
    return new_introspection(openid_provider.issuer)


@pytest.fixture
def opaque_token(openid_provider: OpenIDProvider) -> str:
    tokens = openid_provider.grants.authorization_code("alice", resource=OPAQUE)
    return str(tokens["access_token"])
