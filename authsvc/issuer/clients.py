"""OAuth clients: the programs that ask for tokens (RFC 6749 2).

Most are public: a program on a laptop keeps no secret. An unknown client, a
wrong secret and a secret where there should be none get one and the same
answer, in the same time. A secret follows its file, so it can be rotated under
a running service.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from authlib.oauth2.rfc6749 import ClientMixin

from authsvc.issuer.settings import ClientSettings
from authsvc.reloading import Reloading
from authsvc.secret_files import read_secret


class Client(ClientMixin):  # type: ignore[misc]  # Authlib ships no types
    """A client in the form in which Authlib asks about it."""

    def __init__(self, settings: ClientSettings) -> None:
        self.id = settings.id
        self.grants = settings.grants

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether the client may use a grant."""
        return grant_type in self.grants


class Credentials(NamedTuple):
    """What a request says of its client; ``secret`` None where it says none."""

    client_id: str
    secret: str | None


class Clients:
    """The configured clients. ``files`` hold the secrets of those that have one."""

    def __init__(self, clients: Iterable[ClientSettings]) -> None:
        clients = tuple(clients)
        self._clients = {settings.id: Client(settings) for settings in clients}
        self._secrets = {
            settings.id: _digest_in(settings.secret_file, settings.id)
            for settings in clients
            if settings.secret_file is not None
        }
        self.files: tuple[Reloading[bytes], ...] = tuple(self._secrets.values())

    def authenticate(self, credentials: Credentials) -> Client | None:
        """Return the client, None where it is unknown or its secret is not the one given.

        Raises:
            NotReadyError: its secret was never read in this process.
        """
        client = self._clients.get(credentials.client_id)
        secret = self._secrets.get(credentials.client_id)
        expected = _digest("") if secret is None else secret.current
        given = credentials.secret
        is_equal = hmac.compare_digest(expected, _digest(given or ""))
        is_told = given is not None
        return client if is_equal and is_told == (secret is not None) else None


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _digest_in(file: Path, client: str) -> Reloading[bytes]:
    return Reloading(f"issuer-client/{client}", lambda: _digest(read_secret(file)), [file])
