"""The folder ``pki/``: what is there, what is missing, what is due.

ca.crt                 the CA that signs, and any before it that is still trusted
ca.key                 its key; absent where the CA is the administrator's own. It is
                       root's where root made it for a pod: only who renews needs it
server.crt, .key       the service's, for every --host and loopback
apiserver-client.crt, .key   the API server's, by which the service knows it
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    PrivateKeyTypes,
)

from authsvc.bootstrap import beneath, pki
from authsvc.bootstrap.files import PUBLIC, SECRET, Folder, reported
from authsvc.bootstrap.pki import Authority, KeyPair
from authsvc.errors import ConfigError

CA_CERT, CA_KEY = "pki/ca.crt", "pki/ca.key"
SERVER_CERT, SERVER_KEY = "pki/server.crt", "pki/server.key"
CLIENT_CERT, CLIENT_KEY = "pki/apiserver-client.crt", "pki/apiserver-client.key"
_ROOT = (0, 0)


@dataclass(frozen=True, slots=True)
class OwnAuthority:
    """A CA that the administrator brings: where its certificate and key are."""

    certificate: Path
    key: Path


def present_hosts(root: Path) -> tuple[str, ...]:
    """Return the hosts of the server's certificate that is there, but for loopback."""
    certificates = _certificates(_read_beneath(root, SERVER_CERT))
    names = pki.names_of(certificates[0]) if certificates else ()
    return tuple(name for name in names if name not in pki.LOOPBACK)


def read_own_authority(own: OwnAuthority, now: datetime) -> Authority:
    """Read and check a CA that was brought.

    Raises:
        ConfigError: with the file and what is wrong with it.
    """
    place = str(own.certificate)
    certificates = _certificates(_read(own.certificate))
    if not certificates:
        raise ConfigError(place, "holds no PEM certificate")
    key = _key(_read(own.key))
    if key is None:
        raise ConfigError(str(own.key), "holds no private key that can be read without a password")
    certificate = certificates[0]
    if not pki.is_authority(certificate):
        raise ConfigError(place, "is not a CA: its certificate may not sign others")
    if certificate.public_key() != key.public_key():
        raise ConfigError(str(own.key), f"is not the key of {place}")
    if certificate.not_valid_after_utc <= now:
        raise ConfigError(place, f"ended on {certificate.not_valid_after_utc:%Y-%m-%d}")
    if certificate.not_valid_before_utc > now:
        raise ConfigError(place, f"begins only on {certificate.not_valid_before_utc:%Y-%m-%d}")
    if not any(pki.is_self_signed(each) for each in certificates):
        raise ConfigError(
            place, "is an intermediate CA: append the CAs above it, up to the root, to this file"
        )
    return Authority(certificates, cast("CertificateIssuerPrivateKeyTypes", key))


class Material:
    """``pki/`` of one folder, at one time.

    ``root_signs``: the service's user renews nothing, and so has no use for the
    key of a CA that root makes. One that is there stays its owner's.
    """

    def __init__(self, folder: Folder, now: datetime, *, root_signs: bool) -> None:
        self._folder = folder
        self._root = folder.root
        self._now = now
        self._root_signs = root_signs
        self._signer: Authority | None = None
        self._trusted: tuple[x509.Certificate, ...] = ()

    def ensure(self, hosts: Sequence[str], own: OwnAuthority | None) -> None:
        """Make what is missing or due; keep the rest byte for byte.

        Raises:
            ConfigError: a CA that cannot sign, or none at hand where something is due.
        """
        if own is None:
            self._ensure_authority()
        else:
            self._take_authority(read_own_authority(own, self._now))
        self._ensure_pair(
            SERVER_CERT,
            SERVER_KEY,
            pki.server_names(hosts),
            lambda authority: pki.new_server(authority, hosts, self._now),
        )
        self._ensure_pair(
            CLIENT_CERT, CLIENT_KEY, (), lambda authority: pki.new_client(authority, self._now)
        )

    def _take_authority(self, authority: Authority) -> None:
        content = pki.pem(*authority.certificates)
        if _read_beneath(self._root, CA_CERT) == content:
            self._folder.keep(CA_CERT)
        else:
            self._folder.replace(CA_CERT, content, PUBLIC)
        self._signer, self._trusted = authority, authority.certificates

    def _ensure_authority(self) -> None:
        path = self._root / CA_CERT
        key = _key(_read_beneath(self._root, CA_KEY))
        content = _read_beneath(self._root, CA_CERT)
        if content is None:
            if key is not None:
                raise ConfigError(str(path), f"missing, though {CA_KEY} is there")
            self._make_authority(())
            return
        self._trusted = _certificates(content)
        if not self._trusted:
            raise ConfigError(str(path), "holds no PEM certificate")
        current = self._trusted[0]
        if key is None or key.public_key() != current.public_key():
            self._folder.keep(CA_CERT)  # of a CA that was brought: its key is not here
        elif current.not_valid_after_utc <= self._now + pki.CA_RENEW_BEFORE:
            self._make_authority(self._trusted)
        else:
            self._folder.keep(CA_CERT)
            self._folder.keep_secret(CA_KEY)
            self._signer = Authority((current,), cast("CertificateIssuerPrivateKeyTypes", key))

    def _make_authority(self, before: Sequence[x509.Certificate]) -> None:
        authority = pki.new_authority(self._now)
        note = f"the one before ends on {before[0].not_valid_after_utc:%Y-%m-%d}" if before else ""
        # What the CA before signed is still in use: trust it until it ends.
        still = (each for each in before if each.not_valid_after_utc > self._now)
        self._signer, self._trusted = authority, (authority.certificate, *still)
        owner = self._owner_of_authority()
        self._folder.replace(CA_KEY, pki.key_pem(authority.key), SECRET, note, owner=owner)
        self._folder.replace(CA_CERT, pki.pem(*self._trusted), PUBLIC, note)

    def _owner_of_authority(self) -> tuple[int, int]:
        with reported(self._root / CA_KEY):
            present = beneath.owner_of_key_material(self._root, CA_KEY)
        return present or (_ROOT if self._root_signs else self._folder.owner)

    def _ensure_pair(
        self,
        certificate: str,
        key: str,
        names: Sequence[str],
        make: Callable[[Authority], KeyPair],
    ) -> None:
        pair = _pair(_read_beneath(self._root, certificate), _read_beneath(self._root, key))
        reason = "" if pair is None else pki.reason_to_renew(pair, self._trusted, names, self._now)
        if reason is None:
            self._folder.keep(certificate)
            self._folder.keep_secret(key)
            return
        if self._signer is None:
            raise ConfigError(
                str(self._root / certificate),
                f"has to be made{': ' + reason if reason else ''}, and the key of its CA is not "
                "here: give --ca-cert and --ca-key",
            )
        pair = make(self._signer)
        # The key first: a certificate is never there without its key. A reader
        # that comes between the two sees that they differ, and tries again.
        self._folder.replace(key, pki.key_pem(pair.key), SECRET, reason)
        self._folder.replace(certificate, pair.certificates_pem(), PUBLIC, reason)


def _pair(certificate: bytes | None, key: bytes | None) -> KeyPair | None:
    """Return what is there; None where a half is missing or is not what it should be."""
    certificates = _certificates(certificate)
    private = _key(key)
    if not certificates or private is None:
        return None
    return KeyPair(certificates[0], private, certificates[1:])


def _certificates(content: bytes | None) -> tuple[x509.Certificate, ...]:
    if content is None:
        return ()
    try:
        return tuple(x509.load_pem_x509_certificates(content))
    except ValueError:
        return ()


def _key(content: bytes | None) -> PrivateKeyTypes | None:
    if content is None:
        return None
    try:
        return serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Not PEM, encrypted, or of an unknown kind. The cause could quote the file.
        return None


def _read(path: Path) -> bytes:
    with reported(path):
        return path.read_bytes()


def _read_beneath(root: Path, name: str) -> bytes | None:
    with reported(root / name):
        return beneath.read_key_material(root, name)
