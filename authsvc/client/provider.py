"""The issuer, as a client sees it: its metadata and its token endpoint.

OpenID Connect Discovery 1.0, RFC 6749 (token requests, client authentication),
RFC 7009 (revocation). Which grant is asked for is the flows' business.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote_plus

from authsvc.client.errors import ClientError, RefusedError, printable
from authsvc.client.https import HTTPS
from authsvc.client.settings import UNATTENDED, Settings, check_https
from authsvc.client.tokens import Tokens, parse

_DEFAULT_SCOPES = ("openid", "offline_access")


class Provider:
    """An issuer whose metadata is fetched when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._https = HTTPS(settings)
        self._metadata: Mapping[str, object] = {}

    def endpoint(self, name: str) -> str:
        """Return an endpoint of the metadata (``token``, ``authorization``, …), empty if none.

        Raises:
            ClientError: no metadata is to be had, or it is another issuer's.
        """
        value = self._discover().get(f"{name}_endpoint", "")
        if not isinstance(value, str):
            raise ClientError(f"the issuer's metadata has a bad {name}_endpoint")
        if value:
            check_https(value, f"the issuer's {name}_endpoint")
        return value

    def supports(self, grant: str) -> bool:
        """Tell whether the metadata lists a grant type."""
        return grant in _strings(self._discover().get("grant_types_supported"))

    def wanted(self) -> dict[str, str]:
        """Return what a first request says of the token it wants: scope and audience."""
        wanted = {"scope": self._scopes(), "audience": self.settings.audience}
        return {name: value for name, value in wanted.items() if value}

    def token(self, form: Mapping[str, str], *, endpoint: str = "", kind: str = "") -> Tokens:
        """Send a token request; the client's own credentials are added.

        ``endpoint`` where it is known from before; ``kind`` of token that the
        session sends, ``id_token`` or ``access_token``, where that is settled.

        Raises:
            RefusedError: the issuer said no, and why.
            ClientError: there is no usable answer.
        """
        url = endpoint or self.endpoint("token")
        if not url:
            raise ClientError(f"{self.settings.issuer} has no token endpoint: check --issuer")
        return parse(self.post(url, form), kind or self.settings.token_type)

    def revoke(self, refresh_token: str, endpoint: str) -> None:
        """Have a refresh token, and with it the session, ended (RFC 7009).

        Raises:
            ClientError: the issuer did not do it.
        """
        self.post(endpoint, {"token": refresh_token, "token_type_hint": "refresh_token"})

    def post(self, url: str, form: Mapping[str, str]) -> dict[str, object]:
        """Send a form as this client; return the answer.

        Raises:
            RefusedError: an OAuth error answer.
            ClientError: there is no usable answer.
        """
        fields, headers = self._authenticated(form)
        status, answer = self._https.post(url, fields, headers)
        if status == 200:
            return answer
        error, description = answer.get("error"), answer.get("error_description")
        if not isinstance(error, str):
            said = ""
        else:
            refusal = RefusedError(error, description if isinstance(description, str) else "")
            if 400 <= status < 500:
                raise refusal
            said = f" ({refusal})"
        raise ClientError(
            f"{self.settings.issuer} answered HTTP {status}{said}: "
            "try again later, or ask its administrators"
        )

    def _scopes(self) -> str:
        if self.settings.scopes or self.settings.flow in UNATTENDED:
            return self.settings.scopes  # the default ones are about people
        known = _strings(self._discover().get("scopes_supported"))
        return " ".join(scope for scope in _DEFAULT_SCOPES if not known or scope in known)

    def _discover(self) -> Mapping[str, object]:
        if not self._metadata:
            issuer = self.settings.issuer
            found = self._https.get(issuer.rstrip("/") + "/.well-known/openid-configuration")
            if found.get("issuer") != issuer:  # Discovery 4.3: exactly the same
                named = printable(str(found.get("issuer")))
                raise ClientError(f"{issuer} calls itself {named!r}: set --issuer to exactly that")
            self._metadata = found
        return self._metadata

    def _authenticated(self, form: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Add the client's credentials (RFC 6749 section 2.3.1)."""
        settings = self.settings
        if not settings.client_secret_file:
            return {**form, "client_id": settings.client_id}, {}
        secret = read_secret(settings.client_secret_file)
        methods = _strings(self._discover().get("token_endpoint_auth_methods_supported"))
        if "client_secret_post" in methods and "client_secret_basic" not in methods:
            return {**form, "client_id": settings.client_id, "client_secret": secret}, {}
        pair = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}"
        return dict(form), {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def read_secret(file: str) -> str:
    """Return what a file holds, without the line end.

    Raises:
        ClientError: it cannot be read or holds nothing.
    """
    try:
        secret = Path(file).expanduser().read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ClientError(f"cannot read {file}: {why}") from None
    if not secret:
        raise ClientError(f"{file} is empty: put the token or secret into it")
    return secret


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
