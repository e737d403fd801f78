"""The listener's certificates, made into what a TLS handshake needs.

A context is replaced whole when its files change: a CA that was taken out must
not be trusted any more, and OpenSSL can add to a context's CAs but not take
away. How a listener changes contexts is the server's matter.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from authsvc import metrics
from authsvc.bootstrap import pki
from authsvc.config.model import Engine, TLSSettings
from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.reloading import Reloading

_log = structlog.get_logger()

# `authsvc init` renews 30 days before the end, if it is run every week as it should be.
WARNING_SECONDS = 21 * 86400.0

_RUSTLS_KEYS = "RSA of 2048, 3072 or 4096 bits, ECDSA on P-256 or P-384, or Ed25519"

_VERSIONS = {"VersionTLS12": ssl.TLSVersion.TLSv1_2, "VersionTLS13": ssl.TLSVersion.TLSv1_3}


class _Connection(ssl.SSLObject):
    """A connection whose handshake, where it fails, says why in the log.

    The event loops tell nobody and send no alert: a client with a certificate of
    another CA sees that the connection ended, and its administrator looks here.
    """

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLCertVerificationError as error:
            _log.info("tls_handshake_failed", error=f"client certificate: {error.verify_message}")
            raise
        except ssl.SSLError as error:
            _log.info("tls_handshake_failed", error=error.reason)
            raise


class Certificates(NamedTuple):
    """A context made of the files, and when the first certificate of each file ends.

    ``ends``: seconds since the epoch, by ``server`` and ``client-ca``.
    """

    context: ssl.SSLContext
    ends: Mapping[str, float]

    def ending(self, now: float) -> Sequence[str]:
        """Return a warning for each certificate that ends soon or has ended."""
        return [
            f"the {name} certificate {'ended' if end <= now else 'ends'} on "
            f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(end))}: renew it (authsvc init)"
            for name, end in self.ends.items()
            if end <= now + WARNING_SECONDS
        ]


def load(settings: TLSSettings, engine: Engine = Engine.GUNICORN) -> Certificates:
    """Load the files.

    Raises:
        InvalidConfigurationError: they do not fit each other, cannot be read, or
            are nothing that the engine can serve with.
    """
    server = _certificates(settings.cert_file, "certFile")
    clients = _certificates(settings.client_ca_file, "clientCAFile")
    if not any(map(_signs, clients)):
        message = "holds no CA: its certificates may not sign those of clients (no CA:TRUE)"
        raise _unusable("clientCAFile", f"{settings.client_ca_file}: {message}")
    if engine is Engine.GRANIAN and not _rustls_takes(server[0]):
        message = f"Granian serves with X.509 v3 and {_RUSTLS_KEYS}, and this is something else"
        raise _unusable("certFile", f"{settings.cert_file}: {message}")
    ends = {"server": _end(server), "client-ca": _end(clients)}
    context = _context(settings)
    try:
        # A password of ours, so that OpenSSL never asks the terminal for one.
        context.load_cert_chain(settings.cert_file, settings.key_file, password="")
    except OSError:
        message = f"{settings.key_file}: not {settings.cert_file}'s key in PEM without a password"
        raise _unusable("keyFile", message) from None
    try:
        context.load_verify_locations(settings.client_ca_file)
    except OSError as error:
        raise _unusable("clientCAFile", f"{settings.client_ca_file}: {error}") from None
    return Certificates(context, ends)


def _context(settings: TLSSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _Connection
    context.minimum_version = _VERSIONS[settings.min_version]
    # Optional, as probes have no certificate; that reviews have one is checked
    # before they are read. One that is given but not good ends the handshake.
    context.verify_mode = ssl.CERT_OPTIONAL
    # No tickets: what resumes a session skips the check of the client's
    # certificate. TLS 1.2 can resume without; such a session ends with its context.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    return context


def following(settings: TLSSettings, engine: Engine = Engine.GUNICORN) -> Reloading[Certificates]:
    """Return what holds the newest good certificates.

    Raises:
        InvalidConfigurationError: there are none to begin with.
    """
    newest = Reloading(
        "certificates",
        lambda: load(settings, engine),
        [settings.cert_file, settings.key_file, settings.client_ca_file],
        measure=_measure,
        keep_inherited=True,
    )
    newest.load()
    return newest


def _certificates(file: Path, field: str) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        message = (error.strerror or "cannot be read").lower()
        raise _unusable(field, f"{file}: {message}") from None
    except ValueError:
        raise _unusable(field, f"{file}: no certificates in PEM") from None


def _signs(certificate: x509.Certificate) -> bool:
    """Whether a client may have a certificate of it; one that is its own issuer is pinned."""
    return pki.is_authority(certificate) or pki.is_self_signed(certificate)


def _end(certificates: Sequence[x509.Certificate]) -> float:
    return min(certificate.not_valid_after_utc.timestamp() for certificate in certificates)


def _rustls_takes(certificate: x509.Certificate) -> bool:
    """Whether Granian's TLS can serve with it: OpenSSL can with far more.

    What it cannot use makes each of Granian's workers panic. These are the keys
    that rustls signs with by means of ring (ring::signature::RsaKeyPair has the
    reasons for RSA's).
    """
    if certificate.version is not x509.Version.v3:
        return False
    if certificate.public_key_algorithm_oid == x509.PublicKeyAlgorithmOID.RSASSA_PSS:
        return False
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):  # a curve without a name
        return False
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size in {2048, 3072, 4096} and key.public_numbers().e >= 65537
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1)
    return isinstance(key, ed25519.Ed25519PublicKey)


def _unusable(field: str, message: str) -> InvalidConfigurationError:
    return InvalidConfigurationError([ConfigError(f"server.tls.{field}", message)])


def _measure(certificates: Certificates) -> None:
    for name, end in certificates.ends.items():
        metrics.CERTIFICATE_EXPIRY.labels(name).set(end)
