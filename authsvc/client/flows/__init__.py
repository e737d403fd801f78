"""The ways to log in, a module each: ``log_in(provider, environment) -> Tokens``.

``choose`` finds the one to take. A flow knows its grant and its conversation
with the person; the request itself is the provider's, what becomes of the
tokens is ``login``'s.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module

from authsvc.client.errors import ClientError
from authsvc.client.provider import Provider
from authsvc.client.tokens import Tokens

_MODULES = {
    "password": "password",
    "browser": "browser",
    "device": "device",
    "client-credentials": "unattended",
    "token-exchange": "unattended",
}


def log_in(provider: Provider, environment: Mapping[str, str]) -> Tokens:
    """Log in as the settings say.

    Raises:
        ClientError: it did not come to a login.
    """
    flow = provider.settings.flow
    if flow == "auto":
        flow = choose(provider, environment)
    module = import_module(f"authsvc.client.flows.{_MODULES[flow]}")
    tokens: Tokens = module.log_in(provider, environment)
    return tokens


def choose(provider: Provider, environment: Mapping[str, str]) -> str:
    """Return the flow that suits the issuer and this place.

    A browser where one can be opened here; on a remote machine the device
    flow, whose browser may be anywhere; a password where the issuer takes it.

    Raises:
        ClientError: the issuer offers none of these.
    """
    has_browser = bool(provider.endpoint("authorization"))
    if has_browser and can_open_browser(environment):
        return "browser"
    if provider.endpoint("device_authorization"):
        return "device"
    if provider.supports("password"):
        return "password"
    if has_browser:
        return "browser"
    raise ClientError(f"{provider.settings.issuer} offers no way to log in: check --issuer")


def can_open_browser(environment: Mapping[str, str]) -> bool:
    """Tell whether a browser opened here would be seen by the person."""
    if environment.get("BROWSER"):
        return True
    if environment.get("SSH_CONNECTION"):
        return False
    graphical = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    return sys.platform == "darwin" or bool(graphical)
