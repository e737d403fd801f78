"""The three ways to a token (RFC 6749 4.3 and 6, RFC 8693), as grants of Authlib's server.

Each reads its parameters and words its answer; what to do is the issuer's affair.
Authlib's own classes for the first two are not used: at debug level they log
the tokens that they give out.
"""

from __future__ import annotations

from authlib.oauth2.rfc6749 import (
    BaseGrant,
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Error,
    TokenEndpointMixin,
    UnauthorizedClientError,
)

from authsvc.issuer.issuer import Caller, Issued, Issuer, TokenTooLargeError
from authsvc.issuer.settings import PASSWORD, REFRESH_TOKEN, TOKEN_EXCHANGE

_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:"  # noqa: S105  RFC 8693 3
_ACCESS_TOKEN = _TOKEN_TYPE + "access_token"
_SUBJECT_TYPES = {_TOKEN_TYPE + name for name in ("access_token", "id_token", "jwt")}
_REQUESTED_TYPES = {_ACCESS_TOKEN, _TOKEN_TYPE + "jwt"}

Body = dict[str, str | int]
Answer = tuple[int, Body, list[tuple[str, str]]]


class InvalidTargetError(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """The audience is not one that tokens are issued for (RFC 8693 2.2.2)."""

    error = "invalid_target"
    status_code = 400


class _Grant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]  # Authlib ships no types
    """What the grants share: the client first, then the parameters."""

    GRANT_TYPE = ""

    def validate_token_request(self) -> None:
        """Authenticate the client and see that it may use this grant."""
        client = self.server.authenticate_client(self.request)
        if not client.check_grant_type(self.GRANT_TYPE):
            raise UnauthorizedClientError("this client may not use this grant")
        self.request.client = client

    def create_token_response(self) -> Answer:
        """Return the token, or raise what was wrong with the request."""
        caller = Caller(self.request.client, self.request.address)
        try:
            issued = self.issue(self.server.issuer, caller)
        except TokenTooLargeError as error:
            raise InvalidRequestError(str(error)) from None
        body: Body = {
            "access_token": issued.access_token,
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
        }
        if issued.refresh_token is not None:
            body["refresh_token"] = issued.refresh_token
        return 200, body | self.extra(), self.TOKEN_RESPONSE_HEADER

    def issue(self, issuer: Issuer, caller: Caller) -> Issued:
        """Ask the issuer."""
        raise NotImplementedError

    def extra(self) -> Body:
        """Return what else this grant's answer has."""
        return {}

    def required(self, name: str) -> str:
        """Return a parameter that has to be there."""
        value: str | None = self.request.form.get(name)
        if not value:
            raise InvalidRequestError(f"{name} is missing")
        return value

    def audience(self, issuer: Issuer) -> str:
        """Return the audience that was asked for, or the issuer's own."""
        if self.request.form.get("resource"):
            raise InvalidTargetError("resource is not supported; ask for an audience")
        audience: str = self.request.form.get("audience") or issuer.settings.audience
        if not issuer.issues_for(audience):
            raise InvalidTargetError("no tokens are issued for this audience")
        return audience


class PasswordGrant(_Grant):
    """A user name and a password (RFC 6749 4.3). ``scope`` is not used."""

    GRANT_TYPE = PASSWORD

    def issue(self, issuer: Issuer, caller: Caller) -> Issued:
        """Log in."""
        username, password = self.required("username"), self.required("password")
        issued = issuer.log_in(caller, username, password, self.audience(issuer))
        if issued is None:
            raise InvalidGrantError("the user name or the password is wrong")
        return issued


class RefreshTokenGrant(_Grant):
    """A refresh token, which is good once (RFC 6749 6)."""

    GRANT_TYPE = REFRESH_TOKEN

    def issue(self, issuer: Issuer, caller: Caller) -> Issued:
        """Go on with the session."""
        issued = issuer.refresh(caller, self.required("refresh_token"))
        if issued is None:
            raise InvalidGrantError("the session has ended: log in again")
        return issued


class TokenExchangeGrant(_Grant):
    """A token of somebody else, such as an OpenID provider (RFC 8693). No actors."""

    GRANT_TYPE = TOKEN_EXCHANGE

    def issue(self, issuer: Issuer, caller: Caller) -> Issued:
        """Exchange it."""
        subject_token = self.required("subject_token")
        if self.required("subject_token_type") not in _SUBJECT_TYPES:
            raise InvalidRequestError("subject_token_type is not supported")
        if self.request.form.get("requested_token_type", _ACCESS_TOKEN) not in _REQUESTED_TYPES:
            raise InvalidRequestError("requested_token_type is not supported")
        if self.request.form.get("actor_token"):
            raise InvalidRequestError("actor_token is not supported")
        issued = issuer.exchange(caller, subject_token, self.audience(issuer))
        if issued is None:
            raise InvalidRequestError("the subject token is not accepted")
        return issued

    def extra(self) -> Body:
        """Return the type of what was issued (RFC 8693 2.2.1)."""
        return {"issued_token_type": _ACCESS_TOKEN}


ALL = (PasswordGrant, RefreshTokenGrant, TokenExchangeGrant)
