"""The listener's TLS, by real handshakes over loopback with both event loops."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from structlog.testing import capture_logs

from authsvc import certificates
from authsvc.certificates import Certificates
from authsvc.config.model import Engine, TLSSettings
from authsvc.errors import InvalidConfigurationError
from authsvc.reloading import Reloading
from authsvc.server.tls import FollowingContext
from authsvc.webhook.clientcert import names_of
from tests.parts.certificates import Authority, KeyPair

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "first CA")


@pytest.fixture
def another(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "second CA")


@pytest.fixture
def settings(tmp_path: Path, authority: Authority) -> TLSSettings:
    pair = authority.issue("server-1", "localhost")
    folder = tmp_path / "live"
    folder.mkdir()
    settings = TLSSettings(
        folder / "server.crt", folder / "server.key", folder / "ca.crt", frozenset(), "VersionTLS12"
    )
    install(settings, pair, authority)
    return settings


def install(settings: TLSSettings, pair: KeyPair, clients: Authority) -> None:
    """Put files in place as a renewal does."""
    shutil.copy(pair.certificate, settings.cert_file)
    shutil.copy(pair.key, settings.key_file)
    shutil.copy(clients.certificate, settings.client_ca_file)


async def say_who(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tell a client what the application would be told of it."""
    connection = writer.get_extra_info("ssl_object")
    names = sorted(names_of(connection.getpeercert()) or ["nobody"])
    writer.write(" ".join(names).encode())
    await writer.drain()
    writer.close()


class Listener:
    """A listener in a thread of its own, and its certificates."""

    def __init__(
        self, settings: TLSSettings, new_loop: Callable[[], asyncio.AbstractEventLoop]
    ) -> None:
        self.certificates: Reloading[Certificates] = certificates.following(settings)
        self._context = FollowingContext(self.certificates)
        self._loop = new_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        # A failed handshake is the client's affair.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        server = self._loop.run_until_complete(
            asyncio.start_server(say_who, "127.0.0.1", 0, ssl=self._context)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(server.wait_closed())
        self._loop.close()


class Client:
    """A client of one TLS version, with a certificate or without; trusts one CA."""

    def __init__(
        self, trusted: Authority, version: ssl.TLSVersion, pair: KeyPair | None = None
    ) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.load_verify_locations(trusted.certificate)
        self._context.minimum_version = self._context.maximum_version = version
        self._context.set_alpn_protocols(["h2", "http/1.1"])
        if pair is not None:
            self._context.load_cert_chain(pair.certificate, pair.key)
        self.session: ssl.SSLSession | None = None
        self.server: dict[str, Any] | None = None
        self.alpn: str | None = None

    def ask(self, port: int, name: str | None = "localhost") -> str:
        """Connect, and return what the server says of us; '' or an SSLError where it refuses."""
        self._context.check_hostname = name is not None
        with (
            socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
            self._context.wrap_socket(
                plain, server_hostname=name, session=self.session
            ) as connection,
        ):
            answer = connection.recv(1000).decode()
            if not answer:
                return ""
            self.session = connection.session
            self.server = connection.getpeercert()
            self.alpn = connection.selected_alpn_protocol()
            return answer

    def is_refused(self, port: int) -> bool:
        """Whether the server ends the handshake (in TLS 1.3 that comes to light on reading)."""
        try:
            return self.ask(port) == ""
        except (ssl.SSLError, ConnectionError):
            return True


@pytest.fixture(params=LOOPS)
def listener(request: pytest.FixtureRequest, settings: TLSSettings) -> Iterator[Listener]:
    with Listener(settings, LOOPS[request.param]) as running:
        yield running


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
class TestHandshakes:
    @pytest.mark.parametrize("name", ["localhost", None], ids=["named", "unnamed"])
    def test_a_client_is_known_by_its_certificate(
        self, listener: Listener, authority: Authority, version: ssl.TLSVersion, name: str | None
    ) -> None:
        client = Client(authority, version, authority.issue("kube-apiserver"))
        assert client.ask(listener.port, name) == "kube-apiserver"

    def test_a_client_without_one_is_let_in_as_nobody(
        self, listener: Listener, authority: Authority, version: ssl.TLSVersion
    ) -> None:
        assert Client(authority, version).ask(listener.port) == "nobody"

    def test_a_certificate_of_another_ca_ends_the_handshake(
        self,
        listener: Listener,
        authority: Authority,
        another: Authority,
        version: ssl.TLSVersion,
    ) -> None:
        client = Client(authority, version, another.issue("kube-apiserver"))
        assert client.is_refused(listener.port)

    def test_the_log_says_why_a_handshake_failed(
        self,
        listener: Listener,
        authority: Authority,
        another: Authority,
        version: ssl.TLSVersion,
    ) -> None:
        client = Client(authority, version, another.issue("kube-apiserver"))
        with capture_logs() as logs:
            assert client.is_refused(listener.port)
        said = [line["error"] for line in logs if line["event"] == "tls_handshake_failed"]
        assert said == ["client certificate: unable to get local issuer certificate"]

    def test_http_1_1_is_what_is_spoken(
        self, listener: Listener, authority: Authority, version: ssl.TLSVersion
    ) -> None:
        client = Client(authority, version)
        client.ask(listener.port)
        assert client.alpn == "http/1.1"

    def test_no_session_outlives_the_ca_that_it_was_verified_by(
        self,
        listener: Listener,
        settings: TLSSettings,
        authority: Authority,
        another: Authority,
        version: ssl.TLSVersion,
    ) -> None:
        client = Client(authority, version, authority.issue("kube-apiserver"))
        for _ in range(2):
            assert client.ask(listener.port) == "kube-apiserver"
        install(settings, authority.issue("server-1", "localhost"), another)
        listener.certificates.reload()
        assert client.session is not None
        assert client.is_refused(listener.port)

    def test_a_renewed_certificate_is_served_from_the_next_handshake_on(
        self,
        listener: Listener,
        settings: TLSSettings,
        authority: Authority,
        version: ssl.TLSVersion,
    ) -> None:
        client = Client(authority, version)
        for name in ("server-1", "server-2"):
            install(settings, authority.issue(name, "localhost"), authority)
            assert listener.certificates.reload()
            client.ask(listener.port)
            assert client.server is not None
            assert client.server["subject"] == ((("commonName", name),),)

    def test_a_client_ca_that_was_taken_out_is_trusted_no_more_and_the_new_one_is(
        self,
        listener: Listener,
        settings: TLSSettings,
        authority: Authority,
        another: Authority,
        version: ssl.TLSVersion,
    ) -> None:
        old = Client(authority, version, authority.issue("old"))
        new = Client(authority, version, another.issue("new"))
        assert old.ask(listener.port) == "old"
        install(settings, authority.issue("server-1", "localhost"), another)
        listener.certificates.reload()
        assert new.ask(listener.port) == "new"
        assert old.is_refused(listener.port)
        assert Client(authority, version).ask(listener.port) == "nobody"

    def test_a_bad_renewal_leaves_the_old_certificate_in_place(
        self,
        listener: Listener,
        settings: TLSSettings,
        authority: Authority,
        version: ssl.TLSVersion,
    ) -> None:
        shutil.copy(authority.issue("other").key, settings.key_file)
        with capture_logs():
            assert not listener.certificates.reload()
        client = Client(authority, version, authority.issue("kube-apiserver"))
        assert client.ask(listener.port) == "kube-apiserver"


@pytest.mark.parametrize("loop", LOOPS)
def test_below_the_least_version_nothing_is_spoken(
    settings: TLSSettings, authority: Authority, loop: str
) -> None:
    strict = dataclasses.replace(settings, min_version="VersionTLS13")
    with Listener(strict, LOOPS[loop]) as listener:
        assert Client(authority, ssl.TLSVersion.TLSv1_2).is_refused(listener.port)
        assert Client(authority, ssl.TLSVersion.TLSv1_3).ask(listener.port) == "nobody"


def remove(settings: TLSSettings) -> None:
    settings.cert_file.unlink()


def empty(settings: TLSSettings) -> None:
    settings.client_ca_file.write_text("")


def not_pem(settings: TLSSettings) -> None:
    settings.cert_file.write_bytes(b"\x00\xff")


def leaf_as_ca(settings: TLSSettings) -> None:
    settings.client_ca_file.write_bytes(settings.cert_file.read_bytes())


def swap_key(settings: TLSSettings) -> None:
    settings.key_file.write_bytes(settings.cert_file.read_bytes())


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (remove, r"certFile: .*server\.crt: no such file or directory"),
        (empty, r"clientCAFile: .*ca\.crt: no certificates in PEM"),
        (leaf_as_ca, r"clientCAFile: .*ca\.crt: holds no CA"),
        (not_pem, r"certFile: .*server\.crt: no certificates in PEM"),
        (swap_key, r"keyFile: .*server\.key: not .*server\.crt's key"),
    ],
)
def test_files_that_can_not_be_used_are_named_at_the_start(
    settings: TLSSettings, damage: Callable[[TLSSettings], None], error: str
) -> None:
    damage(settings)
    with pytest.raises(InvalidConfigurationError, match=rf"server\.tls\.{error}"):
        certificates.following(settings)


def test_a_client_that_is_its_own_issuer_may_be_pinned(settings: TLSSettings) -> None:
    sign(settings, ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    leaf_as_ca(settings)

    assert certificates.load(settings).context.get_ca_certs() == []


def sign(settings: TLSSettings, key: Any, hash_: Any) -> None:
    """Put a key, and a certificate for it, in place."""
    of_another = x509.load_pem_x509_certificate(settings.cert_file.read_bytes())
    builder = x509.CertificateBuilder(
        subject_name=of_another.subject,
        issuer_name=of_another.subject,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=of_another.not_valid_before_utc,
        not_valid_after=of_another.not_valid_after_utc,
    )
    pem = serialization.Encoding.PEM
    settings.cert_file.write_bytes(builder.sign(key, hash_).public_bytes(pem))
    form, secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    settings.key_file.write_bytes(key.private_bytes(pem, form, secret))


SHA256 = hashes.SHA256()


@pytest.mark.parametrize(
    ("make", "hash_", "taken"),
    [
        (lambda: rsa.generate_private_key(65537, 2048), SHA256, True),
        (lambda: rsa.generate_private_key(65537, 3072), SHA256, True),
        (lambda: ec.generate_private_key(ec.SECP256R1()), SHA256, True),
        (lambda: ec.generate_private_key(ec.SECP384R1()), SHA256, True),
        (ed25519.Ed25519PrivateKey.generate, None, True),
        (lambda: rsa.generate_private_key(65537, 2560), SHA256, False),
        (lambda: rsa.generate_private_key(3, 2048), SHA256, False),
        (lambda: ec.generate_private_key(ec.SECP521R1()), SHA256, False),
        (lambda: ec.generate_private_key(ec.SECP256K1()), SHA256, False),
        (ed448.Ed448PrivateKey.generate, None, False),
    ],
    ids=[
        *("rsa-2048", "rsa-3072", "p-256", "p-384", "ed25519"),
        *("rsa-2560", "rsa-exponent-3", "p-521", "secp256k1", "ed448"),
    ],
)
def test_keys_that_granian_cannot_use_are_known_before_it_tries(
    settings: TLSSettings, make: Callable[[], Any], hash_: object, *, taken: bool
) -> None:
    sign(settings, make(), hash_)
    certificates.load(settings, Engine.GUNICORN)
    if taken:
        certificates.load(settings, Engine.GRANIAN)
    else:
        with pytest.raises(InvalidConfigurationError, match=r"certFile: .*server\.crt: Granian"):
            certificates.load(settings, Engine.GRANIAN)


def test_a_key_with_a_password_is_an_error_and_no_prompt(
    settings: TLSSettings, capfd: pytest.CaptureFixture[str]
) -> None:
    key = serialization.load_pem_private_key(settings.key_file.read_bytes(), None)
    settings.key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"canary"),
        )
    )
    with pytest.raises(InvalidConfigurationError):
        certificates.following(settings)
    assert capfd.readouterr() == ("", "")


def test_a_certificate_that_ends_soon_or_has_ended_is_warned_of(settings: TLSSettings) -> None:
    context = certificates.load(settings).context
    held = Certificates(context, {"server": 1_800_000_000.0, "client-ca": 1_900_000_000.0})
    day = 86400.0

    assert not held.ending(1_800_000_000.0 - 22 * day)
    assert held.ending(1_800_000_000.0 - 20 * day) == [
        "the server certificate ends on 2027-01-15T08:00:00Z: renew it (authsvc init)"
    ]
    assert "server certificate ended on" in held.ending(1_800_000_000.0)[0]


def test_when_certificates_end_is_known(settings: TLSSettings) -> None:
    ends = certificates.load(settings).ends
    assert ends.keys() == {"server", "client-ca"}
    assert all(end > 1_700_000_000 for end in ends.values())
