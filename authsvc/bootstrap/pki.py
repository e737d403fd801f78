"""Certificates: a CA, what it signs, and when each is due to be made anew.

Values in, values out: no file is read or written here, and the time is given.
ECDSA P-256 throughout (FIPS 186-5): half a handshake of RSA, and understood by
everything that speaks TLS 1.2.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    PrivateKeyTypes,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFETIME = timedelta(days=3650)
LIFETIME = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)
# A CA of ours makes room for its successor while all that it signed can still
# run to its end: both are trusted for a year, and nothing has to be restarted
# in a hurry.
CA_RENEW_BEFORE = LIFETIME + RENEW_BEFORE
# Nodes whose clock is a little behind take a certificate made just now.
_BACKDATE = timedelta(minutes=5)

LOOPBACK = ("localhost", "127.0.0.1", "::1")
CLIENT_NAME = "kube-apiserver-authsvc-client"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate, those between it and a root (none where a root signed it), and its key."""

    certificate: x509.Certificate
    key: PrivateKeyTypes
    chain: tuple[x509.Certificate, ...] = ()

    def certificates_pem(self) -> bytes:
        """Return the certificate and its chain, leaf first, as TLS sends them (RFC 8446 4.4.2)."""
        return pem(self.certificate, *self.chain)


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA that can sign: its certificate first, then those up to its root; and its key."""

    certificates: tuple[x509.Certificate, ...]
    key: CertificateIssuerPrivateKeyTypes

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate that signs."""
        return self.certificates[0]


def new_authority(now: datetime) -> Authority:
    """Make a CA that is its own root."""
    key = ec.generate_private_key(ec.SECP256R1())
    # The time in the name tells a CA from its successor in every tool.
    name = _name(f"authsvc-ca@{int(now.timestamp())}")
    certificate = (
        _builder(name, name, key, now)
        .not_valid_after(_whole(now) + CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(sign=False, certify=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority((certificate,), key)


def new_server(authority: Authority, hosts: Sequence[str], now: datetime) -> KeyPair:
    """Make the service's certificate, for each host and for loopback."""
    names = server_names(hosts)
    extensions: list[x509.ExtensionType] = [
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
        x509.SubjectAlternativeName([_general_name(name) for name in names]),
    ]
    return _sign(authority, "authsvc", extensions, now)


def new_client(authority: Authority, now: datetime) -> KeyPair:
    """Make the certificate by which the API server is known to the service."""
    return _sign(
        authority,
        CLIENT_NAME,
        [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])],
        now,
    )


def server_names(hosts: Sequence[str]) -> tuple[str, ...]:
    """Return every name of the service: the hosts in their order, then loopback; each once."""
    return tuple(dict.fromkeys([*hosts, *LOOPBACK]))


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS names and addresses that a certificate is for, in its order."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(
        str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)
    )


def reason_to_renew(
    pair: KeyPair, trusted: Sequence[x509.Certificate], names: Sequence[str], now: datetime
) -> str | None:
    """Return why a certificate has to be made anew, None where it is good.

    ``trusted`` are the CAs that the other side knows; the first of them would
    sign the new one.
    """
    certificate = pair.certificate
    end = certificate.not_valid_after_utc
    if pair.key.public_key() != certificate.public_key():
        return "its key is another's"
    if not any(signed_by(certificate, authority) for authority in trusted):
        return "another CA signed it"
    missing = [name for name in names if name not in names_of(certificate)]
    if missing:
        return f"it is not for {', '.join(missing)}"
    # Where the CA ends as soon, another certificate would not last longer.
    if end <= now + RENEW_BEFORE and end < trusted[0].not_valid_after_utc:
        return f"it ends on {end:%Y-%m-%d}"
    return None


def signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Return whether a CA signed a certificate."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Return whether a certificate is a root."""
    return signed_by(certificate, certificate)


def is_authority(certificate: x509.Certificate) -> bool:
    """Return whether a certificate may sign others (RFC 5280, 4.2.1.9 and 4.2.1.3)."""
    extensions = certificate.extensions
    try:
        if not extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
    except x509.ExtensionNotFound:
        return False
    try:
        return extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def pem(*certificates: x509.Certificate) -> bytes:
    """Return certificates in PEM, one after the other."""
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def key_pem(key: PrivateKeyTypes) -> bytes:
    """Return a key in PEM (PKCS #8), not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _sign(
    authority: Authority, name: str, extensions: Sequence[x509.ExtensionType], now: datetime
) -> KeyPair:
    issuer = authority.certificate
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(_name(name), issuer.subject, key, max(now, issuer.not_valid_before_utc))
        # Nothing outlives its CA.
        .not_valid_after(min(_whole(now) + LIFETIME, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign=True, certify=False), critical=True)
        .add_extension(_authority_key_identifier(issuer), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    chain = tuple(each for each in authority.certificates if not is_self_signed(each))
    return KeyPair(builder.sign(authority.key, _digest_for(authority.key)), key, chain)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_whole(now) - _BACKDATE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _authority_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        identifier = x509.SubjectKeyIdentifier.from_public_key(issuer.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _digest_for(key: CertificateIssuerPrivateKeyTypes) -> hashes.SHA256 | None:
    # Ed25519 and Ed448 hash by themselves (RFC 8410).
    return None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else _SHA256


_SHA256 = hashes.SHA256()


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, sign: bool, certify: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certify,
        crl_sign=certify,
        encipher_only=False,
        decipher_only=False,
    )


def _whole(time: datetime) -> datetime:
    return time.replace(microsecond=0)
