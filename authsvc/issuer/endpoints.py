"""What Authlib's authorization server is told, and what of it is ours.

`TokenServer` is mixed into the server class of a framework, which brings the
requests (`authsvc.webhook.oauth2` for Flask). Each request has the ``address``
it came from.
"""

from __future__ import annotations

import math
from base64 import b64decode
from typing import Any
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import (
    InvalidClientError,
    InvalidRequestError,
    OAuth2Error,
    UnsupportedGrantTypeError,
)
from authlib.oauth2.rfc7009 import RevocationEndpoint as AuthlibRevocationEndpoint

from authsvc.issuer import grants
from authsvc.issuer.clients import Client, Credentials
from authsvc.issuer.issuer import Issuer
from authsvc.issuer.settings import PASSWORD, REFRESH_TOKEN, TOKEN_EXCHANGE
from authsvc.store.protocol import Session

REVOCATION = "revocation"


class TemporarilyUnavailableError(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """What has to be asked cannot answer; the same request is good later."""

    error = "temporarily_unavailable"
    status_code = 503


class SlowDownError(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """Too many failed attempts; ``retry_after`` in seconds (RFC 6585 4)."""

    error = "slow_down"
    status_code = 429

    def __init__(self, retry_after: float) -> None:
        self._seconds = max(1, math.ceil(retry_after))
        super().__init__(f"too many failed attempts; try again in {self._seconds} seconds")

    def get_headers(self) -> list[tuple[str, str]]:
        """Return Authlib's headers, and when to come back."""
        return [*super().get_headers(), ("Retry-After", str(self._seconds))]


class TokenServer:
    """Authlib's server, as far as it does not depend on a framework."""

    issuer: Issuer

    def register(self) -> None:
        """Tell the server its grants and endpoints."""
        for grant in grants.ALL:
            self.register_grant(grant)  # type: ignore[attr-defined]  # of the class mixed with
        self.register_endpoint(RevocationEndpoint)  # type: ignore[attr-defined]  # as above

    def get_token_grant(self, request: Any) -> Any:
        """Return the grant that a request asks for, once it is one (RFC 6749 3.2)."""
        check_form(request)
        try:
            return super().get_token_grant(request)  # type: ignore[misc]  # of the class mixed with
        except UnsupportedGrantTypeError:
            if not request.form.get("grant_type"):
                raise InvalidRequestError("grant_type is missing") from None
            # Authlib's answer repeats what was sent, and cannot if that is not ASCII.
            raise OAuth2Error(
                "this server knows other grants",
                error=UnsupportedGrantTypeError.error,
                status_code=400,
            ) from None

    def authenticate_client(self, request: Any, *_: object) -> Client:
        """Return the client of a request, public or by its secret (RFC 6749 2.3.1)."""
        client = self.issuer.client(_credentials(request), request.address)
        if client is None:
            raise InvalidClientError(status_code=401, description="unknown client, or wrong secret")
        return client

    def send_signal(self, *_: object, **__: object) -> None:
        """Tell nobody: what happens is in the log, without tokens."""


class RevocationEndpoint(AuthlibRevocationEndpoint):  # type: ignore[misc]  # Authlib ships no types
    """Ends the session of a token, refresh or access (RFC 7009)."""

    ENDPOINT_NAME = REVOCATION

    def check_params(self, request: Any, client: Client) -> None:  # noqa: ARG002  Authlib's signature
        """Require a token; a hint about its type is not needed, so an unknown one does no harm."""
        check_form(request)
        if not request.form.get("token"):
            raise InvalidRequestError("token is missing")

    def query_token(self, token: str, token_type_hint: str | None) -> Any:  # noqa: ARG002
        """Return the session of the token. None is no error: the token is not good any more."""
        session = self.server.issuer.session_of(token)
        return None if session is None else _OwnedSession(session)

    def revoke_token(self, token: Any, request: Any) -> None:  # noqa: ARG002
        """End the session."""
        self.server.issuer.sessions.end(token.session)


class _OwnedSession:
    """A session in the form in which Authlib asks whose it is."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def check_client(self, client: Client) -> bool:
        return self.session.client == client.id


def check_form(request: Any) -> None:
    """Refuse parameters in the URL (they end up in logs) and those given twice (RFC 6749 3.2)."""
    if request.args:
        raise InvalidRequestError("parameters belong in the body, not in the URL")
    form = request.form
    if any(len(form.getlist(name)) > 1 for name in form):
        raise InvalidRequestError("a parameter is given twice")


def _credentials(request: Any) -> Credentials:
    form, header = request.form, request.headers.get("Authorization", "")
    scheme, _, encoded = header.partition(" ")
    if not scheme:
        return Credentials(form.get("client_id", ""), form.get("client_secret"))
    if "client_secret" in form:
        raise InvalidRequestError("the client authenticates itself in two ways")
    try:
        decoded = b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
    except ValueError:  # not base64, not ASCII, not UTF-8
        decoded = ""
    client_id, _, secret = decoded.partition(":")
    return Credentials(unquote_plus(client_id), unquote_plus(secret))


def metadata(issuer: Issuer) -> dict[str, object]:
    """Return the discovery document (OpenID Connect Discovery 1.0, RFC 8414).

    What an API server's AuthenticationConfiguration reads is ``issuer``, which
    is exactly as configured, and ``jwks_uri``.
    """
    url = issuer.settings.url
    methods = ["none", "client_secret_basic", "client_secret_post"]
    # Only a password opens a session that can be refreshed.
    supported = [PASSWORD, REFRESH_TOKEN] if issuer.settings.takes_passwords else []
    if issuer.exchanges:
        supported.append(TOKEN_EXCHANGE)
    base = url.rstrip("/")
    return {
        "issuer": url,
        "jwks_uri": f"{base}/oauth2/jwks",
        "token_endpoint": f"{base}/oauth2/token",
        "revocation_endpoint": f"{base}/oauth2/revoke",
        "grant_types_supported": supported,
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        # There is no authorization endpoint; the field is required all the
        # same, and Kubernetes' own issuer fills it so.
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": issuer.keys.current.algorithms(),
        "claims_supported": [
            *("iss", "aud", "sub", "exp", "iat", "nbf", "jti"),
            *("groups", "uid", "sid", "client_id"),
        ],
    }
