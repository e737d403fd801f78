"""What a token endpoint answers, and what can be read from it.

The signature of an ID token is not verified: it came over TLS from the token
endpoint itself (OpenID Connect Core 3.1.3.7, point 6), and the API server
verifies what it is sent. What this program must see to is that the answer
belongs to its own question: issuer, audience, nonce, and on a refresh the
same user.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from authsvc.client.errors import ClientError, MissingTokenError, printable

UNKNOWN_LIFETIME = 300.0
"""Seconds that a token of unknown lifetime is kept."""

_MARGIN = 30.0
_LONGEST = 10 * 365 * 86400.0  # a date beyond the year 9999 is one that kubectl cannot read


@dataclass(frozen=True)
class Tokens:
    """A token answer (RFC 6749 section 5.1), its token chosen.

    ``kind`` tells which: ``id_token`` or ``access_token``.
    ``lifetime`` in seconds from its arrival; None where nothing tells.
    ``claims`` are the ID token's, or else the access token's, if it is a JWT.
    """

    token: str
    kind: str
    lifetime: float | None
    claims: Mapping[str, object]
    refresh_token: str
    id_claims: Mapping[str, object]

    @property
    def subject(self) -> str:
        """The user's identifier at the issuer, empty where the token does not tell."""
        return _text(self.claims.get("sub"))

    @property
    def username(self) -> str:
        """The most readable name of the user, for messages only."""
        for name in ("preferred_username", "email", "name", "sub"):
            if value := _text(self.claims.get(name)):
                return printable(value)
        return "(unknown)"

    def good_until(self, now: float) -> float:
        """Return until when, by this machine's clock, the token is to be sent.

        Counted from ``now``, its arrival, rather than from the token's own
        times: those are by the issuer's clock.
        """
        lifetime = UNKNOWN_LIFETIME if self.lifetime is None else self.lifetime
        lifetime = min(max(lifetime, 0.0), _LONGEST)
        return now + lifetime - min(_MARGIN, lifetime / 4)


def parse(answer: Mapping[str, object], token_type: str) -> Tokens:
    """Read a token answer; ``token_type`` is the setting, empty for the default choice.

    Raises:
        MissingTokenError: it lacks the kind of token that is to be sent.
        ClientError: it is no token answer.
    """
    access, identity = _text(answer.get("access_token")), _text(answer.get("id_token"))
    kind = _text(answer.get("token_type")) or "bearer"
    if kind.lower() not in ("bearer", "n_a") or not (access or identity):
        raise ClientError("the issuer's token answer holds no bearer token")
    chosen = token_type or ("id_token" if identity else "access_token")
    token = identity if chosen == "id_token" else access
    if not token:
        raise MissingTokenError(f"the issuer's answer holds no {chosen}: check --token-type")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ClientError(f"the issuer's {chosen} holds characters that a header cannot carry")
    id_claims = claims(identity)
    own = claims(token)
    return Tokens(
        token=token,
        kind=chosen,
        lifetime=_lifetime(own, answer.get("expires_in") if chosen == "access_token" else None),
        claims=id_claims or own,
        refresh_token=_text(answer.get("refresh_token")),
        id_claims=id_claims,
    )


def check_id_token(tokens: Tokens, issuer: str, client_id: str, nonce: str = "") -> None:
    """See that the ID token, where there is one, is of this issuer, for this client.

    With a ``nonce`` there must be an ID token, and it must hold it
    (OpenID Connect Core 3.1.3.7).

    Raises:
        ClientError: it is not.
    """
    known = tokens.id_claims
    if nonce and known.get("nonce") != nonce:
        raise ClientError("the ID token does not belong to this login (nonce): log in again")
    if not known:
        return
    if known.get("iss") != issuer:
        raise ClientError(
            f"the ID token is of another issuer, {printable(_text(known.get('iss')))!r}"
        )
    audience = known.get("aud")
    if client_id not in (audience if isinstance(audience, list) else [audience]):
        raise ClientError("the ID token is for another client: check --client-id")


def claims(token: str) -> dict[str, object]:
    """Return the claims of a JWT, unverified; empty if it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        content = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _lifetime(own: Mapping[str, object], expires_in: object) -> float | None:
    """RFC 6749's expires_in for an access token, else the JWT's own length."""
    seconds = _number(expires_in)
    if seconds is not None:
        return seconds
    expires, issued = _number(own.get("exp")), _number(own.get("iat"))
    return expires - issued if expires is not None and issued is not None else None


def _number(value: object) -> float | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():  # some send "3600"
        value = int(value[:10])
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < 1e12 else None  # NaN is not less


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
