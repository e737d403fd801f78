"""Certificates that change under a running service."""

from __future__ import annotations

import shutil
import socket
import ssl
import warnings
from pathlib import Path

import pytest

from authsvc.bootstrap import initialise
from tests.integration.reviews import POLICY, TOKENS, is_granted, review
from tests.parts.authsvc_server import AuthsvcServer, StartAuthsvc
from tests.parts.certificates import Authority, KeyPair
from tests.parts.waiting import eventually


def served_serial(server: AuthsvcServer) -> str:
    """Return the serial number of the certificate that the service shows."""
    with server.connect() as connection:
        assert isinstance(connection.socket, ssl.SSLSocket)
        certificate = connection.socket.getpeercert()
        assert certificate is not None
        return str(certificate["serialNumber"])


def test_a_renewed_certificate_is_served_without_a_restart(start_authsvc: StartAuthsvc) -> None:
    server = start_authsvc(tokens=TOKENS, policy=POLICY, settings={"server": {"workers": 2}})
    before = served_serial(server)
    with server.connect_as_api_server() as connection:
        assert is_granted(connection.post("/authorize", review("/authorize")))

        for file in (server.folder / "pki").glob("server.*"):
            file.unlink()
        initialise(server.folder)

        eventually(
            lambda: all(served_serial(server) != before for _ in range(8)),
            "both workers serve the new certificate",
        )
        # What was connected stays so.
        assert is_granted(connection.post("/authorize", review("/authorize")))
    assert is_granted(server.post("/authorize", review("/authorize")))
    assert server.log.count("Booting worker") == 2


def test_a_certificate_that_does_not_fit_its_key_is_told_and_the_old_one_served(
    start_authsvc: StartAuthsvc, tmp_path: Path
) -> None:
    server = start_authsvc(tokens=TOKENS, policy=POLICY)
    before = served_serial(server)
    stranger = Authority(tmp_path).issue("stranger", "127.0.0.1")

    shutil.copy(stranger.certificate, server.folder / "pki/server.crt")

    eventually(lambda: "server.crt" in server.get("/readyz?verbose").text, "readyz tells it")
    assert served_serial(server) == before
    assert "server.crt" in server.log


def is_accepted(server: AuthsvcServer, identity: KeyPair) -> bool:
    """Whether a client may ask, on a connection of its own."""
    try:
        with server.connect(identity) as connection:
            return is_granted(connection.post("/authorize", review("/authorize")))
    except (ssl.SSLError, ConnectionError):
        return False


def test_a_client_authority_that_was_taken_out_is_no_longer_accepted(
    start_authsvc: StartAuthsvc, tmp_path: Path
) -> None:
    stays, goes = Authority(tmp_path, "stays"), Authority(tmp_path, "goes")
    trusted, distrusted = stays.issue("client of stays"), goes.issue("client of goes")
    bundle = tmp_path / "clients.crt"
    bundle.write_bytes(stays.certificate.read_bytes() + goes.certificate.read_bytes())
    tls = {"clientCAFile": str(bundle), "allowedClientNames": []}
    server = start_authsvc(
        tokens=TOKENS, policy=POLICY, settings={"server": {"tls": tls, "workers": 2}}
    )
    assert is_accepted(server, trusted)
    assert is_accepted(server, distrusted)

    bundle.write_bytes(stays.certificate.read_bytes())

    eventually(
        lambda: not any(is_accepted(server, distrusted) for _ in range(8)),
        "neither worker accepts a client of the authority that went",
    )
    assert is_accepted(server, trusted)


def test_only_tls_1_2_and_later_is_spoken(granting_server: AuthsvcServer) -> None:
    def version(only: ssl.TLSVersion) -> str | None:
        context = ssl.create_default_context(cafile=granting_server.ca)
        context.set_ciphers("ALL:@SECLEVEL=0")  # or the client itself would not try
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = only
        with (
            socket.create_connection(("127.0.0.1", granting_server.port), 20) as connected,
            context.wrap_socket(connected, server_hostname="127.0.0.1") as wrapped,
        ):
            return wrapped.version()

    assert version(ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert version(ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with pytest.raises(ssl.SSLError):
        version(ssl.TLSVersion.TLSv1_1)
