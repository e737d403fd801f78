"""The issuer's endpoints as Flask routes: OAuth 2.0's token endpoint and what belongs to it.

``POST /oauth2/token``, ``POST /oauth2/revoke``, ``GET /oauth2/jwks`` and the
discovery document at both of its well-known paths. Authlib's Flask server
carries the requests; what they mean is in ``authsvc.issuer``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network

import msgspec
import structlog
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.flask_oauth2.requests import FlaskOAuth2Request
from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error
from flask import Blueprint, Request, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from authsvc import metrics
from authsvc.attempts import TooManyAttemptsError
from authsvc.errors import BackendError, NotReadyError
from authsvc.issuer.endpoints import (
    REVOCATION,
    SlowDownError,
    TemporarilyUnavailableError,
    TokenServer,
    metadata,
)
from authsvc.issuer.issuer import Issuer
from authsvc.issuer.settings import PASSWORD, REFRESH_TOKEN, TOKEN_EXCHANGE
from authsvc.webhook.responses import not_found

_MAX_BODY = 64 * 1024
# An API server that verifies by itself looks for a key it does not know only
# when those it has are older than this (less 30 s): the longest wait after a
# rotation at once, and the shortest between fetches that bad tokens can cause.
_PUBLIC_SECONDS = 60
_FORM = "application/x-www-form-urlencoded"
_GRANTS = {PASSWORD: "password", REFRESH_TOKEN: "refresh_token", TOKEN_EXCHANGE: "token_exchange"}

_log = structlog.get_logger()


def blueprint(current: Callable[[], Issuer | None]) -> Blueprint:
    """Return the routes of whichever issuer is current; without one there is nothing there."""
    routes = Blueprint("oauth2", __name__)

    @routes.post("/oauth2/token", provide_automatic_options=False)
    def token() -> Response:
        response = _serve(current(), lambda server: server.create_token_response())
        if response.status_code != 404:
            outcome = (response.get_json() or {}).get("error", "issued")
            metrics.TOKEN_REQUESTS.labels(_grant(), outcome).inc()
        return response

    @routes.post("/oauth2/revoke", provide_automatic_options=False)
    def revoke() -> Response:
        return _serve(current(), lambda server: server.create_endpoint_response(REVOCATION))

    @routes.get("/oauth2/jwks")
    def jwks() -> Response:
        return _publish(current(), lambda issuer: issuer.keys.current.jwks(issuer.clock()))

    @routes.get("/.well-known/openid-configuration")
    @routes.get("/.well-known/oauth-authorization-server")
    def discovery() -> Response:
        return _publish(current(), metadata)

    return routes


class _Server(TokenServer, AuthorizationServer):  # type: ignore[misc]  # Authlib ships no types
    """Authlib's server for Flask, for one request: there is no state in it worth keeping."""

    def __init__(self, issuer: Issuer) -> None:
        super().__init__()
        self.issuer = issuer
        self.register()

    def create_oauth2_request(self, _: object) -> _Request:
        return _Request(request, client_address(request, self.issuer.settings.trusted_proxies))

    def handle_response(
        self, status: int, body: object, headers: Iterable[tuple[str, str]]
    ) -> Response:
        """Make a response that nobody keeps (RFC 6749 5.1)."""
        response = Response(msgspec.json.encode(body), status, list(headers))
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


class _Request(FlaskOAuth2Request):  # type: ignore[misc]  # Authlib ships no types
    """A request that knows where it came from."""

    def __init__(self, flask_request: Request, address: str) -> None:
        super().__init__(flask_request)
        self.address = address


def _serve(issuer: Issuer | None, answer: Callable[[_Server], Response]) -> Response:
    """Return an answer to a form, or what was wrong, always in the form of RFC 6749 5.2."""
    if issuer is None:
        return not_found()
    server = _Server(issuer)
    address = client_address(request, issuer.settings.trusted_proxies)
    request.max_content_length = _MAX_BODY
    try:
        if request.mimetype != _FORM:
            raise InvalidRequestError(f"the body has to be {_FORM}")
        return answer(server)
    except TooManyAttemptsError as refused:
        _log.warning("login_attempt_refused", address=address)
        error = SlowDownError(refused.retry_after)
    except (BackendError, NotReadyError) as failed:
        _log.error("token_request_failed", address=address, error=str(failed))
        error = TemporarilyUnavailableError("a system that has to be asked does not answer")
    except RequestEntityTooLarge:
        error = InvalidRequestError("the body is too large", status_code=413)
    except OAuth2Error as refused:  # before Authlib looks after its own: not TLS, no form
        error = refused
    response: Response = server.handle_error_response(None, error)
    return response


def _publish(issuer: Issuer | None, document: Callable[[Issuer], object]) -> Response:
    """Return a public document, which verifiers may keep for a while."""
    if issuer is None:
        return not_found()
    response = Response(msgspec.json.encode(document(issuer)), content_type="application/json")
    response.headers["Cache-Control"] = f"public, max-age={_PUBLIC_SECONDS}"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _grant() -> str:
    try:
        return _GRANTS.get(request.form.get("grant_type", ""), "other")
    except RequestEntityTooLarge:
        return "other"


def client_address(flask_request: Request, trusted: Iterable[IPv4Network | IPv6Network]) -> str:
    """Return the address a request came from.

    Where a trusted proxy brought it, X-Forwarded-For is read from its end, the
    part that the proxies wrote: the first address that is not theirs. What
    stands before that is whatever the client liked to send.
    """
    networks = tuple(trusted)
    address = flask_request.remote_addr or ""
    forwarded = flask_request.headers.get("X-Forwarded-For", "").split(",")
    while _is_within(address, networks) and forwarded:
        nearer = forwarded.pop().strip()
        if not _is_address(nearer):
            break
        address = nearer
    return address


def _is_within(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    if not _is_address(address):
        return False
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped  # what a listener on [::] makes of 192.0.2.7
    return any(parsed in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
