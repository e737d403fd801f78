"""Asks a provider about each token (RFC 7662): a revocation holds once the cache forgets.

An active token is not yet a good one: it may have been given to another client
or for another API, and whoever runs that could use it here. So an answer must
name one of the configured audiences or clients. What a review learns is kept
by the review cache, no longer than the token's own expiry.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from authsvc.authn.audiences import bound_audiences
from authsvc.authn.checks import Refused, Report
from authsvc.authn.claims import (
    ClaimMapping,
    ClaimRule,
    check_audience,
    check_bearer,
    check_claims,
    check_times,
    check_user,
    find,
    map_user,
)
from authsvc.authn.http import Response
from authsvc.authn.introspection.client import client_for
from authsvc.authn.introspection.settings import IntrospectionSettings
from authsvc.authn.provider import ProviderAuthenticator
from authsvc.authn.routing import (
    Route,
    Shape,
    read_unverified,
    route_prefix,
    shape_of,
)
from authsvc.errors import BackendError
from authsvc.interfaces import Identity


class IntrospectionAuthenticator(ProviderAuthenticator):
    """Knows the holders of one provider's opaque tokens."""

    def __init__(
        self,
        settings: IntrospectionSettings,
        name: str = "introspection",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; nobody is asked yet. ``clock`` gives seconds since the epoch."""
        super().__init__(settings.http, name)
        self._settings = settings
        self._clock = clock
        self._client = client_for(settings.client, settings.url, name)
        self.files = self._client.files
        self._wanted, self._looks_at_any = _claims_wanted(settings)

    def route(self, token: str) -> Route:
        """Take opaque tokens, by their prefix where prefixes are configured; some issuers' JWTs."""
        settings = self._settings
        shape = shape_of(token)
        if shape is Shape.JWT and settings.issuers:
            jwt = read_unverified(token)
            issuer = jwt.issuer if jwt else ""
            takes = issuer in settings.issuers
            return Route(takes, f"its issuer is {issuer!r}")
        if settings.token_prefixes:
            return route_prefix(token, settings.token_prefixes)
        return Route(shape is Shape.OPAQUE, f"it is {shape.value}")

    def _authenticate(self, token: str, audiences: Sequence[str], report: Report) -> Identity:
        deadline = self._http.deadline()
        claims = self._introspect(token, deadline)
        if not claims["active"]:
            raise Refused("active", "the provider says that the token is not active")
        report("active", "the provider says so")
        self._check_type(claims)
        check_bearer(claims)
        self._check_meant_for_us(claims, report)
        expires_at = check_times(
            claims, self._clock(), self._settings.clock_skew, report, essential=False
        )
        claims = self._complete(token, claims, deadline, report)
        check_claims(claims, self._settings.claim_rules, report)
        user = map_user(claims, self._settings.mappings, report)
        check_user(user, self._settings.user_rules, report)
        bound = bound_audiences(audiences, self._settings.api_audiences, report)
        return Identity(user, bound, expires_at)

    def _introspect(self, token: str, deadline: float) -> dict[str, Any]:
        proof = self._client.proof()
        response = self._http.post(
            self._settings.url,
            {"token": token, "token_type_hint": "access_token", **proof.form},
            proof.headers,
            deadline=deadline,
        )
        if response.status == 401:
            raise BackendError(f"{response.url}: the provider refuses authsvc as its client")
        answer = _document(response)
        if not isinstance(answer.get("active"), bool):
            # RFC 7662 2.2: required, a boolean. Without it this is no verdict
            # (a gateway's own JSON, say), and must not be remembered as one.
            raise BackendError(f"{response.url}: the answer has no boolean active (RFC 7662 2.2)")
        return answer

    def _check_type(self, claims: Mapping[str, Any]) -> None:
        # Introspection knows refresh tokens too (RFC 7662 2.1), which are no
        # credentials here. They have no token_type, or not Bearer.
        kind = claims.get("token_type")
        if kind is None and self._settings.audiences:
            return  # one that names an API as its audience is an access token
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise Refused("token type", f"{kind!r} is not Bearer")

    def _check_meant_for_us(self, claims: Mapping[str, Any], report: Report) -> None:
        settings = self._settings
        if settings.audiences:
            check_audience(claims, settings.audiences, report)
        if settings.client_ids:
            client = claims.get("client_id")
            if client not in settings.client_ids:
                raise Refused("client", f"given to {client!r}, not {list(settings.client_ids)}")
            report("client", f"{client!r}")
        if settings.issuers and claims.get("iss", settings.issuers[0]) not in settings.issuers:
            raise Refused("issuer", f"{claims.get('iss')!r}")
        granted = claims.get("scope")
        scopes = granted.split() if isinstance(granted, str) else []
        missing = [scope for scope in settings.required_scopes if scope not in scopes]
        if missing:
            raise Refused("scope", f"without {' '.join(missing)}")

    def _complete(
        self, token: str, claims: dict[str, Any], deadline: float, report: Report
    ) -> dict[str, Any]:
        """Fill in from userinfo (OpenID Connect Core 5.3) what the introspection lacks."""
        url = self._settings.userinfo_url
        lacking = [name for name in self._wanted if find(claims, name) is None]
        if not url or not (lacking or self._looks_at_any):
            return claims
        response = self._http.get(url, {"Authorization": f"Bearer {token}"}, deadline=deadline)
        if response.status in {401, 403}:
            raise Refused("userinfo", f"status {response.status}")
        userinfo = _document(response)
        # Core 5.3.2: without this check one user's claims could be another's.
        if not isinstance(userinfo.get("sub"), str) or userinfo["sub"] != claims.get("sub"):
            raise Refused("userinfo", "it is of another subject than the token")
        report("userinfo", f"has {', '.join(sorted(userinfo))}")
        _fill(claims, userinfo)
        for name in lacking:
            if find(claims, name) is None and find(userinfo, name) is not None:
                raise Refused("userinfo", f"{name} does not fit into what the introspection has")
        return claims


def _fill(claims: dict[str, Any], userinfo: dict[str, Any]) -> None:
    """Add to claims what they lack, in nested ones as well.

    A null lacks its value, and an empty ``realm_access`` its roles: as values
    they would hide the groups that userinfo has, on which a deny may rest.
    """
    pairs = [(claims, userinfo)]
    while pairs:
        said, more = pairs.pop()
        for name, value in more.items():
            mine = said.get(name)
            if mine is None:
                said[name] = value
            elif isinstance(mine, dict) and isinstance(value, dict):
                pairs.append((mine, value))


def _claims_wanted(settings: IntrospectionSettings) -> tuple[tuple[str, ...], bool]:
    """Return the claims that make the user, and whether an expression may look at any others."""
    mappings = settings.mappings
    readers: list[ClaimMapping | ClaimRule] = [mappings.username, *settings.claim_rules]
    readers += [source for _, source in mappings.extra]
    if mappings.uid is not None:
        readers.append(mappings.uid)
    if mappings.groups is not None:
        readers.append(mappings.groups.source)
    wanted = [reader.claim for reader in readers if reader.expression is None]
    if mappings.username.claim == "email":
        wanted.append("email_verified")  # which may be what userinfo alone says
    return tuple(wanted), any(reader.expression is not None for reader in readers)


def _document(response: Response) -> dict[str, Any]:
    if response.status != 200:
        raise BackendError(f"{response.url}: status {response.status}")
    return response.json_object()
