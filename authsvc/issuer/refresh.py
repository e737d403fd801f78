"""The form of a refresh token: opaque to clients, 256 bits that are good once.

``authsvc_rt_<session>.<family>.<secret>``. The session id finds the session;
the family, which all refresh tokens of a session share, proves that the bearer
was once given a token of it, so that nobody ends a session by knowing its id;
the secret is the one that is good once. The store has only their SHA-256.

A successor is derived: HMAC(salt, secret). Whoever repeats a rotation because
its answer was lost gets the same successor, and there is never a second branch;
the salt, in the store, is of no use without the token, nor the token without
the salt.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from typing import NamedTuple

from authsvc.jose import decode_part

_PREFIX = "authsvc_rt_"  # lets scanners of repositories and logs know one when they see it
_BYTES = 32


class RefreshToken(NamedTuple):
    """A refresh token in its parts. Never logged: it has no representation but its own text."""

    session_id: str
    family: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"RefreshToken({self.session_id!r})"

    def text(self) -> str:
        """Return what the client keeps."""
        family, secret = (urlsafe_b64encode(part).decode() for part in (self.family, self.secret))
        return f"{_PREFIX}{self.session_id}.{family.rstrip('=')}.{secret.rstrip('=')}"

    def successor(self, salt: bytes) -> RefreshToken:
        """Return the token that follows this one."""
        return self._replace(secret=hmac.digest(salt, self.secret, "sha256"))


def new(session_id: str) -> RefreshToken:
    """Return the first refresh token of a session."""
    return RefreshToken(session_id, secrets.token_bytes(_BYTES), secrets.token_bytes(_BYTES))


def parse(text: str) -> RefreshToken | None:
    """Return a token in its parts, None where it does not have the form of one."""
    parts = text.removeprefix(_PREFIX).split(".")
    if not text.startswith(_PREFIX) or len(parts) != 3 or not text.isascii():
        return None
    try:
        family, secret = (decode_part(part) for part in parts[1:])
    except ValueError:
        return None
    if len(family) != _BYTES or len(secret) != _BYTES:
        return None
    return RefreshToken(parts[0], family, secret)


def digest(secret: bytes) -> bytes:
    """Return what a store keeps of a secret."""
    return hashlib.sha256(secret).digest()
