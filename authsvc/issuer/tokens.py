"""Access tokens: JWTs (RFC 7519) in the profile for access tokens (RFC 9068).

Signed here, verified here for TokenReviews, and good for an API server that
verifies them by itself (AuthenticationConfiguration) with the published keys.
Whether a token's session was revoked and what is true of its user now is not
known here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError

from authsvc.interfaces import UserInfo
from authsvc.issuer.keys import KeyRing
from authsvc.jose import Algorithms, decode_part

_TYPE = "at+jwt"  # RFC 9068 2.1


class AccessToken(NamedTuple):
    """What a token says. ``directory`` as in authsvc.store.protocol.Session."""

    user: UserInfo
    audience: str
    client: str
    session_id: str
    directory: str
    issued_at: int
    expires_at: int


class AccessTokens:
    """Signs and verifies the tokens of one issuer; times in seconds.

    ``lifetime``: a token is never good for longer, whatever it says. One that
    was signed when the configuration allowed more would otherwise outlive the
    memory of its revocation, and its key. ``leeway`` is for other clocks.
    """

    def __init__(
        self,
        issuer: str,
        audiences: frozenset[str],
        keys: Callable[[], KeyRing],
        clock: Callable[[], float],
        lifetime: float,
        leeway: float,
    ) -> None:
        self.issuer = issuer
        self._audiences = audiences
        self._keys = keys
        self._clock = clock
        self._lifetime = int(lifetime)
        self._leeway = leeway

    def sign(self, token: AccessToken, *, with_groups: bool = True) -> str:
        """Return the signed token, with an id of its own (``jti``).

        ``with_groups``: and with what else is true of the user now, ``extra``.

        Raises:
            NotReadyError: there is no key.
        """
        key = self._keys().signing(self._clock())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": token.audience,
            "sub": token.user.username,
            "iat": token.issued_at,
            "nbf": token.issued_at,
            "exp": token.expires_at,
            "jti": secrets.token_urlsafe(16),
            "client_id": token.client,
            "sid": token.session_id,
        }
        if token.user.uid:
            claims["uid"] = token.user.uid
        if token.directory:
            claims["idp"] = token.directory
        if with_groups:
            claims["groups"] = list(token.user.groups)
            if token.user.extra:
                claims["extra"] = {key: list(each) for key, each in token.user.extra.items()}
        header = {"typ": _TYPE, "alg": key.algorithm, "kid": key.kid}
        return jwt.encode(header, claims, key.key, registry=Algorithms([key.algorithm]))

    def verify(self, token: str) -> AccessToken | None:
        """Return what a token says, None where it is not one of ours that is good now."""
        header = _header(token)
        kid = header.get("kid") if header.get("typ") == _TYPE else None
        key = self._keys().verifying(kid, self._clock()) if isinstance(kid, str) else None
        if key is None:
            return None
        try:
            # The key alone says which algorithm it is.
            claims = jwt.decode(token, key.key, registry=Algorithms([key.algorithm])).claims
        except (JoseError, ValueError, RecursionError):
            return None
        return self._validate(claims)

    def _validate(self, document: Mapping[str, Any]) -> AccessToken | None:
        try:
            claims = msgspec.convert(document, _Claims)
        except msgspec.ValidationError:
            return None
        now = self._clock()
        if claims.iss != self.issuer or claims.aud not in self._audiences:
            return None
        expires_at = min(claims.exp, claims.iat + self._lifetime)
        if now >= expires_at + self._leeway or now < claims.nbf - self._leeway:
            return None
        user = UserInfo(claims.sub, claims.uid, claims.groups, claims.extra)
        return AccessToken(
            user, claims.aud, claims.client_id, claims.sid, claims.idp, claims.iat, expires_at
        )


class _Claims(msgspec.Struct):
    """Every claim that `sign` always writes is required."""

    iss: str
    aud: str
    sub: str
    iat: int
    nbf: int
    exp: int
    jti: str
    client_id: str
    sid: str
    uid: str = ""
    idp: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = {}  # msgspec makes one of its own for each


def _header(token: str) -> Mapping[str, object]:
    """Return the unverified header, to find the key by; empty where there is none."""
    head, dot, _ = token.partition(".")
    try:
        header = msgspec.json.decode(decode_part(head))
    except (ValueError, msgspec.DecodeError, RecursionError):  # the last for what is nested deep
        return {}
    return header if dot and isinstance(header, dict) else {}
