"""What a JWT of a provider must be and say before its holder is believed.

Essential are iss, aud, exp and whatever claim names the user (RFC 8725 3.8 and
3.9): a token without one of them is refused. Names in ``system:`` are dealt with
by the guard, for all authenticators alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from authsvc.authn.audiences import bound_audiences
from authsvc.authn.checks import Refused, Report
from authsvc.authn.claims import (
    check_audience,
    check_bearer,
    check_claims,
    check_times,
    check_user,
    map_user,
)
from authsvc.authn.oidc.jws import Verifier
from authsvc.authn.oidc.keys import ProviderKeys
from authsvc.authn.oidc.settings import OIDCSettings, TokenType
from authsvc.authn.provider import ProviderAuthenticator
from authsvc.authn.routing import Route, route_issuer
from authsvc.interfaces import Identity

_ACCESS_TOKEN = {"at+jwt", "application/at+jwt"}  # RFC 9068 2.1
# Other kinds of JWT that a provider signs with the same keys, such as
# logout+jwt, are no credentials (RFC 8725 3.11).
_CREDENTIAL = {"", "jwt", "application/jwt", *_ACCESS_TOKEN}
_ESSENTIAL_IN_ACCESS_TOKENS = ("sub", "client_id", "iat", "jti")  # RFC 9068 2.2


class OIDCAuthenticator(ProviderAuthenticator):
    """Knows the people of one OpenID Connect provider by its JWTs."""

    def __init__(
        self, settings: OIDCSettings, name: str = "oidc", clock: Callable[[], float] = time.time
    ) -> None:
        """Prepare; nothing is fetched yet. ``clock`` gives seconds since the epoch."""
        super().__init__(settings.http, name)
        self._settings = settings
        self._clock = clock
        self._verifier = Verifier(settings.algorithms)
        self._keys = ProviderKeys(settings, self._http, name)

    def route(self, token: str) -> Route:
        """Take JWTs that name this issuer."""
        return route_issuer(token, self._settings.issuer)

    def start(self) -> None:
        """Fetch keys, and keep them fresh."""
        self._keys.start()

    def close(self) -> None:
        """Stop fetching keys."""
        self._keys.close()
        super().close()

    def _authenticate(self, token: str, audiences: Sequence[str], report: Report) -> Identity:
        parts = self._verifier.read(token)
        header = parts.headers()
        algorithm, kid = header["alg"], header.get("kid")
        report("header", f"algorithm {algorithm}, key {kid}")
        self._check_type(header, report)
        keys = self._keys.find(kid, algorithm)
        if not keys:
            raise Refused("key", f"the issuer has no key {kid!r} for {algorithm}")
        claims = self._verifier.verify(parts, keys)
        report("signature", f"by key {kid}")
        self._check_issuer(claims, report)
        check_audience(claims, self._settings.audiences, report)
        check_bearer(claims)
        expires_at = check_times(claims, self._clock(), self._settings.clock_skew, report)
        if self._settings.token_type is TokenType.ACCESS_TOKEN:
            missing = [name for name in _ESSENTIAL_IN_ACCESS_TOKENS if name not in claims]
            if missing:
                raise Refused("access token", f"without {', '.join(missing)} (RFC 9068)")
        check_claims(claims, self._settings.claim_rules, report)
        user = map_user(claims, self._settings.mappings, report)
        check_user(user, self._settings.user_rules, report)
        bound = bound_audiences(audiences, self._settings.api_audiences, report)
        return Identity(user, bound, expires_at)

    def _check_type(self, header: Mapping[str, Any], report: Report) -> None:
        given = header.get("typ", "").lower()
        only_access_tokens = self._settings.token_type is TokenType.ACCESS_TOKEN
        if given not in (_ACCESS_TOKEN if only_access_tokens else _CREDENTIAL):
            expected = "at+jwt" if only_access_tokens else "JWT, at+jwt or none"
            raise Refused("type", f"typ is {given!r}, not {expected}")
        report("type", given or "none given")

    def _check_issuer(self, claims: Mapping[str, Any], report: Report) -> None:
        # The router read the same claim before it was verified; this is the check.
        if claims.get("iss") != self._settings.issuer:
            raise Refused("issuer", f"{claims.get('iss')!r}")
        report("issuer", self._settings.issuer)
