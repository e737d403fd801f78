"""Who is at the other end of a request that Flask answers, as far as its server says."""

from __future__ import annotations

import ipaddress

from authsvc.webhook import asgi, wsgi
from authsvc.webhook.wsgi import Environ

_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_VIA")


def is_trusted(environ: Environ) -> bool:
    """Whether the peer is on this machine, or has a certificate of ``clientCAFile``.

    A proxy that says that it is one asks for somebody else. Of whom nothing is
    known is not trusted.
    """
    if any(header in environ for header in _FORWARDED):
        return False
    return _has_certificate(environ) or _is_loopback(environ.get("REMOTE_ADDR", ""))


def _has_certificate(environ: Environ) -> bool:
    scope = environ.get("asgi.scope")  # what a2wsgi made the environ of
    names = wsgi.client_names(environ) if scope is None else asgi.client_names(scope)
    return names is not None


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped  # what a listener on [::] makes of 127.0.0.1
    return parsed.is_loopback
