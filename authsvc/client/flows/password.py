"""User name and password, given to the issuer once (RFC 6749 section 4.3).

For authsvc itself and other issuers of one's own: the password goes to the
token endpoint over TLS and nowhere else, and is not kept.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping

from authsvc.client.errors import ClientError, RefusedError
from authsvc.client.provider import Provider
from authsvc.client.terminal import ask
from authsvc.client.tokens import Tokens, check_id_token


def log_in(provider: Provider, environment: Mapping[str, str]) -> Tokens:
    """Ask for what is missing and log in, once.

    Raises:
        ClientError: nobody to ask, or the issuer refused.
    """
    settings = provider.settings
    provider.endpoint("token")  # nobody types a password for an issuer that is not there
    username = settings.username or _ask_username(settings.issuer, environment)
    question = f"Password of {username} at {settings.issuer}: "
    password = ask(question, environment, secret=True)
    if not password:
        raise ClientError("the password was empty: log in again")
    form = {"grant_type": "password", "username": username, "password": password}
    try:
        tokens = provider.token({**form, **provider.wanted()})
    except RefusedError as error:
        if error.error != "invalid_grant":
            raise
        raise ClientError(
            f"{settings.issuer} did not accept the user name and password ({error}): log in again"
        ) from None
    check_id_token(tokens, settings.issuer, settings.client_id)
    return tokens


def _ask_username(issuer: str, environment: Mapping[str, str]) -> str:
    try:
        own = getpass.getuser()
    except (OSError, KeyError):  # neither a variable nor an account tells
        own = ""
    hint = f" [{own}]" if own else ""
    username = ask(f"User name at {issuer}{hint}: ", environment).strip() or own
    if not username:
        raise ClientError("no user name was given: log in again, or set --username")
    return username
