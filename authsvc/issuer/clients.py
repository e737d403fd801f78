"""OAuth clients: the programs that ask for tokens (RFC 6749 2).

Most are public: a program on a laptop keeps no secret. An unknown client, a
wrong secret and a secret where there should be none are one and the same
answer, in the same time.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from authlib.oauth2.rfc6749 import ClientMixin

from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.issuer.settings import ClientSettings


class Client(ClientMixin):  # type: ignore[misc]  # Authlib ships no types
    """A client in the form in which Authlib asks about it."""

    def __init__(self, settings: ClientSettings, secret: bytes | None) -> None:
        self.id = settings.id
        self.grants = settings.grants
        self.secret = secret

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether the client may use a grant."""
        return grant_type in self.grants


class Credentials(NamedTuple):
    """What a request says of its client; ``secret`` None where it says none."""

    client_id: str
    secret: str | None


class Clients:
    """The configured clients; reads the files of their secrets.

    Raises:
        InvalidConfigurationError: a file cannot be read or is empty.
    """

    def __init__(self, clients: Iterable[ClientSettings]) -> None:
        self._clients = {
            settings.id: Client(
                settings,
                None if settings.secret_file is None else _read_secret(settings.secret_file),
            )
            for settings in clients
        }

    def authenticate(self, credentials: Credentials) -> Client | None:
        """Return the client, None where it is unknown or its secret is not the one given."""
        client = self._clients.get(credentials.client_id)
        expected = client.secret if client is not None else _digest("")
        given = None if credentials.secret is None else _digest(credentials.secret)
        if expected is None or given is None:
            return client if expected is given else None
        return client if hmac.compare_digest(expected, given) and client is not None else None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _read_secret(file: Path) -> bytes:
    try:
        secret = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        secret = ""
    if not secret:
        raise InvalidConfigurationError([ConfigError(str(file), "no client secret to be read")])
    return _digest(secret)
