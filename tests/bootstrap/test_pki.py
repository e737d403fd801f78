"""Certificates, judged by those who have to take them: TLS of the standard library, and OpenSSL."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

from authsvc.bootstrap import OwnAuthority, Wanted, initialise, pki
from authsvc.errors import ConfigError
from tests.bootstrap.conftest import NOW


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def serials(folder: Path) -> dict[str, int]:
    return {path.name: certificate(path).serial_number for path in (folder / "pki").glob("*.crt")}


def make_ca(
    folder: Path,
    name: str = "company",
    *,
    key: CertificateIssuerPrivateKeyTypes | None = None,
    issuer: pki.Authority | None = None,
    ca: bool = True,
    begin: datetime = NOW - timedelta(days=1),
    end: datetime = NOW + timedelta(days=1000),
) -> tuple[OwnAuthority, pki.Authority]:
    """Make a CA as a company would have one, outside of the code under test."""
    key = key or ec.generate_private_key(ec.SECP384R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer.key if issuer else key
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(signer, None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    own = OwnAuthority(folder / f"{name}.crt", folder / f"{name}.key")
    above = issuer.certificates if issuer else ()
    own.certificate.write_bytes(pki.pem(certificate, *above))
    own.key.write_bytes(pki.key_pem(key))
    return own, pki.Authority((certificate, *above), key)


def handshake(folder: Path, server_name: str, *, with_client_certificate: bool = True) -> str:
    """Shake hands as the API server and the service do; return the client's name as seen there."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=folder / "pki/ca.crt")
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(folder / "pki/server.crt", folder / "pki/server.key")
    client = ssl.create_default_context(cafile=folder / "pki/ca.crt")
    # What Python 3.13 asks by itself: RFC 5280 to the letter.
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    server.verify_flags |= ssl.VERIFY_X509_STRICT
    if with_client_certificate:
        client.load_cert_chain(
            folder / "pki/apiserver-client.crt", folder / "pki/apiserver-client.key"
        )
    seen: list[str] = []
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as connection:
                peer = connection.getpeercert() or {}
                seen.append(str(peer["subject"][0][0][1]))
                connection.sendall(b"!")
        except ssl.SSLError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=server_name) as connection:
            connection.recv(1)
    finally:
        ours.close()
        thread.join()
    return seen[0]


@pytest.mark.parametrize(
    "name", ["auth.example.com", "10.0.0.5", "fd00::5", "localhost", "127.0.0.1", "::1"]
)
def test_both_sides_know_each_other_by_every_name(tmp_path: Path, name: str) -> None:
    initialise(tmp_path, Wanted(hosts=("auth.example.com", "10.0.0.5", "fd00::5")))

    assert handshake(tmp_path, name) == "kube-apiserver-authsvc-client"


def test_the_service_is_not_taken_for_another_host(tmp_path: Path) -> None:
    initialise(tmp_path)

    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(tmp_path, "auth.example.com")


def test_a_client_without_a_certificate_is_refused(tmp_path: Path) -> None:
    initialise(tmp_path)

    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        handshake(tmp_path, "localhost", with_client_certificate=False)


def test_certificates_are_good_for_their_purpose_alone(site: Path) -> None:
    openssl = shutil.which("openssl") or pytest.fail("openssl is missing: apt-get install openssl")

    def verify(name: str, purpose: str) -> bool:
        command = [openssl, "verify", "-x509_strict", "-purpose", purpose]
        at = ["-attime", str(int(NOW.timestamp()))]
        files = ["-CAfile", str(site / "pki/ca.crt"), str(site / "pki" / name)]
        done = subprocess.run([*command, *at, *files], check=False, capture_output=True)
        return done.returncode == 0

    assert verify("server.crt", "sslserver")
    assert not verify("server.crt", "sslclient")
    assert verify("apiserver-client.crt", "sslclient")
    assert not verify("apiserver-client.crt", "sslserver")


def test_keys_are_ecdsa_p256(site: Path) -> None:
    for path in (site / "pki").glob("*.key"):
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert isinstance(key.curve, ec.SECP256R1)


def test_a_ca_makes_room_for_its_successor_while_what_it_signed_goes_on(site: Path) -> None:
    before = serials(site)
    old = certificate(site / "pki/ca.crt")
    late = NOW + pki.CA_LIFETIME - pki.LIFETIME

    initialise(site, now=late)
    middle = serials(site)
    bundle = x509.load_pem_x509_certificates((site / "pki/ca.crt").read_bytes())
    initialise(site, now=late + timedelta(days=340))

    assert middle["ca.crt"] != before["ca.crt"]
    assert bundle[1:] == [old]
    leaf = certificate(site / "pki/server.crt")
    assert pki.signed_by(leaf, certificate(site / "pki/ca.crt"))
    # In between nothing was cut off: all that is in use is trusted.
    assert leaf.not_valid_after_utc > late + timedelta(days=340)


def test_nothing_outlives_its_ca_and_nothing_is_renewed_in_vain(tmp_path: Path) -> None:
    own, authority = make_ca(tmp_path, end=NOW + timedelta(days=20))
    folder = tmp_path / "authsvc"
    initialise(folder, own_authority=own, now=NOW)
    before = serials(folder)

    initialise(folder, own_authority=own, now=NOW + timedelta(days=1))

    end = certificate(folder / "pki/server.crt").not_valid_after_utc
    assert end == authority.certificate.not_valid_after_utc
    assert serials(folder) == before


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["ecdsa", "rsa", "ed25519"],
)
def test_a_ca_of_ones_own_signs_and_its_key_stays_where_it_was(
    tmp_path: Path, key: CertificateIssuerPrivateKeyTypes
) -> None:
    own, authority = make_ca(tmp_path, key=key)
    folder = tmp_path / "authsvc"

    initialise(folder, own_authority=own, now=NOW)

    assert (folder / "pki/ca.crt").read_bytes() == own.certificate.read_bytes()
    assert not (folder / "pki/ca.key").exists()
    assert pki.signed_by(certificate(folder / "pki/server.crt"), authority.certificate)


def test_an_intermediate_ca_brings_its_chain(tmp_path: Path) -> None:
    _, root = make_ca(tmp_path, "root")
    own, _ = make_ca(tmp_path, "intermediate", issuer=root)
    folder = tmp_path / "authsvc"

    initialise(folder, own_authority=own, now=NOW)

    sent = x509.load_pem_x509_certificates((folder / "pki/server.crt").read_bytes())
    assert [pki.is_authority(each) for each in sent] == [False, True]


def test_certificates_of_the_ca_before_are_made_anew_by_ones_own(
    site: Path, tmp_path: Path
) -> None:
    own, authority = make_ca(tmp_path)

    initialise(site, own_authority=own, now=NOW)

    for name in ("server.crt", "apiserver-client.crt"):
        assert pki.signed_by(certificate(site / "pki" / name), authority.certificate)


def test_without_the_key_of_ones_own_ca_nothing_is_lost_and_a_renewal_says_so(
    tmp_path: Path,
) -> None:
    own, _ = make_ca(tmp_path)
    folder = tmp_path / "authsvc"
    initialise(folder, own_authority=own, now=NOW)
    before = serials(folder)

    initialise(folder, now=NOW)
    with pytest.raises(ConfigError, match=r"it ends on .*: give --ca-cert and --ca-key"):
        initialise(folder, now=NOW + timedelta(days=340))

    assert serials(folder) == before


def test_a_ca_that_cannot_sign_is_refused_with_the_reason(tmp_path: Path) -> None:
    good, root = make_ca(tmp_path, "good")
    other, _ = make_ca(tmp_path, "other")
    leaf, _ = make_ca(tmp_path, "leaf", ca=False)
    past, _ = make_ca(tmp_path, "past", end=NOW - timedelta(hours=1))
    future, _ = make_ca(tmp_path, "future", begin=NOW + timedelta(hours=1))
    cut, _ = make_ca(tmp_path, "cut", issuer=root)
    cut.certificate.write_bytes(pki.pem(certificate(cut.certificate)))
    encrypted = tmp_path / "encrypted.key"
    encrypted.write_bytes(
        root.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"hunter2"),
        )
    )
    cases = [
        (OwnAuthority(good.certificate, other.key), r"other\.key: is not the key of .*good\.crt"),
        (leaf, r"leaf\.crt: is not a CA"),
        (past, r"past\.crt: ended on 2026-11-23"),
        (future, r"future\.crt: begins only on"),
        (cut, r"cut\.crt: is an intermediate CA"),
        (OwnAuthority(good.key, good.key), r"good\.key: holds no PEM certificate"),
        (OwnAuthority(good.certificate, good.certificate), r"good\.crt: holds no private key"),
        (OwnAuthority(good.certificate, encrypted), "without a password"),
        (OwnAuthority(tmp_path / "none.crt", good.key), r"none\.crt: no such file"),
        (OwnAuthority(good.certificate, tmp_path / "none.key"), r"none\.key: no such file"),
    ]
    for own, message in cases:
        with pytest.raises(ConfigError, match=message):
            initialise(tmp_path / "authsvc", own_authority=own, now=NOW)
        assert list((tmp_path / "authsvc").iterdir()) == []


@pytest.mark.parametrize("name", ["server.crt", "server.key"])
@pytest.mark.parametrize("content", [b"", b"rubbish", None])
def test_what_is_broken_is_made_anew(site: Path, name: str, content: bytes | None) -> None:
    path = site / "pki" / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    initialise(site, now=NOW)

    key = serialization.load_pem_private_key((site / "pki/server.key").read_bytes(), password=None)
    assert key.public_key() == certificate(site / "pki/server.crt").public_key()


def test_a_ca_that_is_broken_is_not_replaced_behind_ones_back(site: Path) -> None:
    (site / "pki/ca.crt").write_text("rubbish")
    with pytest.raises(ConfigError, match=r"ca\.crt: holds no PEM certificate"):
        initialise(site, now=NOW)

    (site / "pki/ca.crt").unlink()
    with pytest.raises(ConfigError, match=r"ca\.crt: missing, though pki/ca\.key is there"):
        initialise(site, now=NOW)
