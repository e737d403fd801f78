"""Tokens whose provider is asked about each one: OAuth 2.0 token introspection (RFC 7662)."""

from __future__ import annotations

from authsvc.authn.introspection.authenticator import IntrospectionAuthenticator
from authsvc.authn.introspection.settings import (
    ClientAuthentication,
    ClientMethod,
    IntrospectionSettings,
)

__all__ = [
    "ClientAuthentication",
    "ClientMethod",
    "IntrospectionAuthenticator",
    "IntrospectionSettings",
]
