"""What the settings mean: the checked form of what the kubeconfig says.

``HELP`` describes each for people. No I/O here: whether a file exists is found
out by who reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from authsvc.client.errors import ClientError

FLOWS = (
    "auto",
    "password",
    "browser",
    "device",
    "client-credentials",
    "token-exchange",
    "token-file",
)
UNATTENDED = ("client-credentials", "token-exchange", "token-file")

HELP = {
    "issuer": "URL of the OpenID provider or of authsvc, as it names itself",
    "client-id": "OAuth client (default: kubectl-authsvc)",
    "client-secret-file": "file that holds the client's secret, for a confidential client",
    "flow": "how to log in: " + ", ".join(FLOWS) + " (default: auto)",
    "scopes": "scopes to ask for, separated by spaces (default: openid offline_access)",
    "audience": "whom the token is to be for, where the issuer can be told",
    "username": "user name to log in with (password flow; asked for where not given)",
    "token-file": "file that holds a token (token-file and token-exchange flows)",
    "token-type": "id_token or access_token: which to send (default: the ID token if there is one)",
    "redirect-uri": "loopback address that the browser returns to "
    "(default: http://127.0.0.1/callback on a random port)",
    "certificate-authority": "file with the CA certificates to verify the issuer with",
    "certificate-authority-data": "the same, in base64",
    "keyring": "auto, or never to keep refresh tokens in the state folder (default: auto)",
    "login-timeout": "seconds that a person has to log in (default: 300)",
    "request-timeout": "seconds that one answer of the issuer may take (default: 15)",
}

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Settings:
    """The settings of one user entry. Times in seconds, paths as written."""

    issuer: str = ""
    client_id: str = "kubectl-authsvc"
    client_secret_file: str = ""
    flow: str = "auto"
    scopes: str = ""
    audience: str = ""
    username: str = ""
    token_file: str = ""
    token_type: str = ""
    redirect_uri: str = "http://127.0.0.1/callback"
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    keyring: str = "auto"
    login_timeout: int = 300
    request_timeout: int = 15


def parse(values: Mapping[str, str]) -> Settings:
    """Check the values, named as flags are.

    Raises:
        ClientError: the first that is not good.
    """
    arguments: dict[str, str | int] = {}
    for name, value in values.items():
        number = name.endswith("-timeout")
        arguments[name.replace("-", "_")] = _seconds(name, value) if number else value
    settings = Settings(**arguments)  # type: ignore[arg-type]  # numbers go to the two timeouts
    _check_choice("flow", settings.flow, FLOWS)
    _check_choice("token-type", settings.token_type, ("", "id_token", "access_token"))
    _check_choice("keyring", settings.keyring, ("auto", "never"))
    if settings.flow in ("token-file", "token-exchange") and not settings.token_file:
        raise ClientError(f"--token-file is needed by --flow={settings.flow}")
    if settings.flow != "token-file":
        check_https(settings.issuer, "--issuer")
    _check_loopback(settings.redirect_uri)
    return settings


def check_https(url: str, what: str) -> None:
    """Refuse a URL that tokens must not be sent to, or that must not be shown on a terminal.

    Raises:
        ClientError: it is not an https URL.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
        good = good and url.isprintable() and " " not in url
    except ValueError:
        good = False
    if not good:
        raise ClientError(f"{what} must be an https:// URL, not {url!r}")


def _check_loopback(url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme == "http" and parts.hostname in _LOOPBACK and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ClientError(
            f"--redirect-uri must be http:// on 127.0.0.1, [::1] or localhost, not {url!r}"
        )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        known = ", ".join(choice for choice in choices if choice)
        raise ClientError(f"--{name} is one of {known}, not {value!r}")


def _seconds(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 0 < int(value) <= 3600:
        raise ClientError(f"--{name} is a number of seconds from 1 to 3600, not {value!r}")
    return int(value)
