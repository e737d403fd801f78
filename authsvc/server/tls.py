"""The listener's TLS: renewed certificates are served without a restart.

A listener has one context for as long as it lives. This one hands each
handshake on to the newest.
"""

from __future__ import annotations

import ssl

from authsvc.certificates import Certificates, bare_context
from authsvc.config.model import TLSSettings
from authsvc.reloading import Reloading


def entry_context(settings: TLSSettings, newest: Reloading[Certificates]) -> ssl.SSLContext:
    """Return a context whose handshakes are made by whatever is newest when they begin."""
    entry = bare_context(settings)

    def hand_on(connection: ssl.SSLObject, _name: str | None, _entry: ssl.SSLContext) -> None:
        # OpenSSL takes the certificate, the key and the CAs to trust from here
        # (SSL_set_SSL_CTX); versions and options stay those of the entry.
        connection.context = newest.current.context

    # Called for each handshake, with or without a server name in it.
    entry.sni_callback = hand_on
    return entry
