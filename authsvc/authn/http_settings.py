"""How a provider is reached over HTTP, and which URLs may be asked at all.

Apart from the client itself, so that reading a configuration loads no client.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class HTTPSettings:
    """How to reach a provider.

    ``ca_file`` and ``ca_data`` (PEM) replace the system's certificate
    authorities. ``proxy`` is an HTTP proxy's URL, which may hold a user and a
    password. ``timeout``: seconds for the whole of an exchange, or of all
    exchanges that one token needs.
    """

    ca_file: Path | None = None
    ca_data: str = ""
    client_cert_file: Path | None = None
    client_key_file: Path | None = None
    proxy: str = ""
    timeout: float = 5.0
    max_response: int = 1024 * 1024


def url_fault(url: str) -> str | None:
    """Say what keeps a URL from being asked: https is required but for loopback."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "not a URL"
    if parts.scheme not in {"https", "http"} or not host or not url.isprintable() or " " in url:
        return "expected an https:// URL"
    if not url.isascii():
        return "must be ASCII: a host as xn--…, the rest as %XX"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "must hold no user, password or fragment"
    if parts.scheme == "http" and not _is_loopback(host):
        return "https is required (plain http is for loopback only)"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
