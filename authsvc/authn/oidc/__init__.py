"""JWTs of OpenID Connect providers, verified here with the provider's published keys.

``keys`` knows where keys come from and when, ``jws`` which signature is good,
``authenticator`` what a token must say. Importing this package imports
joserfc, so only what makes an authenticator does.
"""

from __future__ import annotations

from authsvc.authn.oidc.authenticator import OIDCAuthenticator
from authsvc.authn.oidc.settings import ALGORITHMS, OIDCSettings, TokenType

__all__ = ["ALGORITHMS", "OIDCAuthenticator", "OIDCSettings", "TokenType"]
