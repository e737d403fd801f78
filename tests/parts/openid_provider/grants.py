"""OAuth 2.0 and OpenID Connect grants, walked over HTTP as a client and a person would.

No shortcuts: the authorization code comes through the login page and PKCE, so
that every token a test holds is one the provider issued.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

REDIRECT_URI = "http://127.0.0.1/callback"
SCOPE = "openid profile email groups"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"

Tokens = dict[str, Any]


class Grants:
    """Gets tokens from the provider at ``issuer``."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        # The tests' own certificates are made per run; this client sends no secret anywhere else.
        self._http = httpx.Client(base_url=issuer, verify=False, timeout=20, trust_env=False)  # noqa: S501

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def authorization_code(
        self,
        login: str,
        *,
        client_id: str = "kubectl",
        scope: str = SCOPE,
        resource: str | None = None,
    ) -> Tokens:
        """Log in by authorization code with PKCE (RFC 6749 4.1, RFC 7636)."""
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        self._http.cookies.clear()
        query = {
            "client_id": client_id,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "scope": scope,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        if resource:
            query["resource"] = resource
        last = self._log_in(self._http.get("/auth", params=query), login)
        code = parse_qs(urlsplit(last.headers["Location"]).query)["code"][0]
        return self.token(
            grant_type="authorization_code",
            client_id=client_id,
            redirect_uri=REDIRECT_URI,
            code=code,
            code_verifier=verifier,
        )

    def approve_device(self, verification_uri_complete: str, login: str) -> None:
        """Be the person of the device flow (RFC 8628 3.3): confirm the code and log in."""
        self._http.cookies.clear()
        page = self._http.get(verification_uri_complete)
        xsrf = re.search(r'name="xsrf" value="([^"]*)"', page.text)
        code = parse_qs(urlsplit(verification_uri_complete).query)["user_code"][0]
        assert xsrf is not None, page.text
        form = {"xsrf": xsrf[1], "user_code": code, "confirm": "yes"}
        page = self._log_in(self._http.post("/device", data=form), login)
        assert "Signed in" in page.text, page.text

    def client_credentials(
        self, client_id: str, secret: str, *, resource: str | None = None
    ) -> Tokens:
        """Get a token for a program (RFC 6749 4.4)."""
        return self.token(
            auth=httpx.BasicAuth(client_id, secret),
            grant_type="client_credentials",
            **({"resource": resource} if resource else {}),
        )

    def refresh(self, refresh_token: str, *, client_id: str = "kubectl") -> Tokens:
        """Use a refresh token (RFC 6749 6)."""
        return self.token(
            grant_type="refresh_token", client_id=client_id, refresh_token=refresh_token
        )

    def revoke(self, token: str, *, client_id: str = "kubectl") -> None:
        """Revoke a token (RFC 7009)."""
        data = {"token": token, "client_id": client_id}
        self._http.post("/token/revocation", data=data).raise_for_status()

    def token(self, *, auth: httpx.Auth | None = None, **form: str) -> Tokens:
        """Ask the token endpoint."""
        answer = self._http.post("/token", data=form, auth=auth or httpx.USE_CLIENT_DEFAULT)
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        assert isinstance(tokens, dict)
        return tokens

    def _log_in(self, page: httpx.Response, login: str) -> httpx.Response:
        """Fill in the login page that ``page`` leads to; return the first answer after it
        that leads away from the provider or nowhere."""
        assert page.status_code == 303, page.text
        page = self._http.post(page.headers["Location"], data={"login": login, "password": "any"})
        while page.has_redirect_location:
            location = urljoin(str(page.url), page.headers["Location"])
            if not location.startswith(self._issuer):
                break
            page = self._http.get(location)
        return page
