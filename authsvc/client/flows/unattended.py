"""Logins without a person, for programs and CI.

Client credentials (RFC 6749 section 4.4), and the exchange of a token that the
surroundings put into a file for one of the issuer's own (RFC 8693).
"""

from __future__ import annotations

from collections.abc import Mapping

from authsvc.client.provider import Provider, read_secret
from authsvc.client.tokens import Tokens, check_id_token


def log_in(provider: Provider, _environment: Mapping[str, str]) -> Tokens:
    """Get a token by the client's own credentials, or for the token in the file.

    Raises:
        ClientError: the issuer refused, or the file cannot be read.
    """
    settings = provider.settings
    if settings.flow == "token-exchange":
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": read_secret(settings.token_file),
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        }
    else:
        form = {"grant_type": "client_credentials"}
    tokens = provider.token({**form, **provider.wanted()})
    check_id_token(tokens, settings.issuer, settings.client_id)
    return tokens
