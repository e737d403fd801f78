"""The listener's TLS: renewed certificates are served without a restart.

A context is replaced whole: a CA that was taken out must not be trusted any
more, and OpenSSL can add to a context's CAs but not take away. The first
context only hands each handshake on to the newest. No session is resumed: a
resumed one would skip the check of the client's certificate.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509

from authsvc import metrics
from authsvc.config.model import TLSSettings
from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.reloading import Reloading

_VERSIONS = {"VersionTLS12": ssl.TLSVersion.TLSv1_2, "VersionTLS13": ssl.TLSVersion.TLSv1_3}


def context(settings: TLSSettings) -> ssl.SSLContext:
    """Make the context of the present files.

    Raises:
        InvalidConfigurationError: the files do not fit, or cannot be read.
    """
    try:
        made = _context(settings)
    except (OSError, ValueError) as error:
        # ssl.SSLError is an OSError; neither quotes the key.
        raise InvalidConfigurationError([ConfigError("server.tls", str(error))]) from None
    return made


def _context(settings: TLSSettings) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = _VERSIONS[settings.min_version]
    made.load_cert_chain(settings.cert_file, settings.key_file)
    made.load_verify_locations(settings.client_ca_file)
    # Optional, as probes have no certificate; that reviews have one is checked
    # before they are read. One that is given but not good ends the handshake.
    made.verify_mode = ssl.CERT_OPTIONAL
    made.num_tickets = 0
    made.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    made.set_alpn_protocols(["http/1.1"])
    return made


def following(settings: TLSSettings) -> tuple[ssl.SSLContext, Reloading[ssl.SSLContext]]:
    """Return a context that serves the newest good files, and what follows them."""
    paths = [settings.cert_file, settings.key_file, settings.client_ca_file]
    newest = Reloading(
        "certificates", lambda: context(settings), paths, measure=lambda _: _measure(settings)
    )
    newest.load()
    entry = _context(settings)

    def hand_on(connection: ssl.SSLObject, _name: str | None, _entry: ssl.SSLContext) -> None:
        connection.context = newest.current

    # Called for each handshake, with or without a server name in it.
    entry.sni_callback = hand_on
    return entry, newest


def _measure(settings: TLSSettings) -> None:
    for name, path in (("server", settings.cert_file), ("client-ca", settings.client_ca_file)):
        ends = min(
            certificate.not_valid_after_utc
            for certificate in x509.load_pem_x509_certificates(Path(path).read_bytes())
        )
        metrics.CERTIFICATE_EXPIRY.labels(name).set(ends.timestamp())
