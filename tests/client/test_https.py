"""The way to the issuer: verified, bounded, JSON; whatever is at the other end."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client.conftest import Certificates, Person
from tests.client.servers import Answer, Issuer

PASSWORD = ("--flow=password", "--username=alice")


def _settings(issuer: Issuer, alice: Person, *more: str) -> list[str]:
    authority = f"--certificate-authority={alice.authority}"
    return [f"--issuer={issuer.url}", authority, "--flow=client-credentials", *more]


def _error(alice: Person, *settings: str, **environment: str) -> str:
    done = alice.get_token(*settings, **environment)
    assert done.returncode == 1, done.stdout
    assert done.stdout == ""
    assert done.stderr.startswith("kubectl-authsvc: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@contextmanager
def _connection_that_dribbles(first: bytes, then: bytes) -> Iterator[int]:
    """A port where one connection gets ``first``, and ``then`` again and again."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = threading.Event()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(first)
                while not ended.wait(0.1):
                    try:
                        connection.sendall(then)
                    except OSError:
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        ended.set()
        thread.join()


def test_an_issuer_that_is_not_there_is_an_error(alice: Person) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

    error = _error(alice, f"--issuer=https://127.0.0.1:{port}", "--flow=client-credentials")

    assert f"https://127.0.0.1:{port}/.well-known/openid-configuration" in error
    assert "cannot be reached: Connection refused" in error


def test_an_issuer_that_hangs_is_given_up_in_time(alice: Person) -> None:
    began = time.monotonic()
    with _connection_that_dribbles(b"", b"") as port:
        error = _error(
            alice,
            f"--issuer=https://127.0.0.1:{port}",
            "--flow=client-credentials",
            "--request-timeout=1",
        )

    assert "did not answer within 1 s: try again, or raise --request-timeout" in error
    assert time.monotonic() - began < 10


def test_an_issuer_that_dribbles_is_given_up_in_time(alice: Person) -> None:
    # A TLS record of 16 KiB, a byte at a time: each byte begins a socket's own timeout anew.
    began = time.monotonic()
    with _connection_that_dribbles(b"\x16\x03\x03\x40\x00", b"\x02") as port:
        error = _error(
            alice,
            f"--issuer=https://127.0.0.1:{port}",
            "--flow=client-credentials",
            "--request-timeout=1",
        )

    assert "did not answer within 1 s" in error
    assert time.monotonic() - began < 10


def test_a_token_endpoint_that_hangs_is_given_up_in_time(alice: Person, issuer: Issuer) -> None:
    ended = threading.Event()

    def hang(_: object) -> Answer:
        ended.wait(30)
        return Answer(200, {})

    issuer.token_answer = hang
    error = _error(alice, *_settings(issuer, alice, "--request-timeout=1"))
    ended.set()

    assert f"{issuer.url}/token did not answer within 1 s" in error


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(200, b"<html>Welcome</html>", "text/html"), "answered HTTP 200 with text/html"),
        (Answer(502, b"<html>Bad</html>", "text/html"), "answered HTTP 502 with text/html"),
        (Answer(200, b"x" * 10_000_000), "answered with more than 1 MiB"),
        (Answer(200, b"{"), "something that is no JSON object"),
        (Answer(200, b"[" * 100_000), "something that is no JSON object"),
        (Answer(200, [1]), "something that is no JSON object"),
        (Answer(200, {}), "holds no bearer token"),
        (Answer(200, b""), "holds no bearer token"),
        (Answer(500, {"error": "oops"}), "answered HTTP 500 (oops): try again later"),
        (Answer(503, b""), "answered HTTP 503: try again later"),
        (Answer(302, b""), "answered HTTP 302"),
        (Answer(401, {"error": "invalid_client", "error_description": "who?"}), "invalid_client"),
        (Answer(400, {"error": "x\x1b[2J\n", "error_description": "y\r\nz"}), "x [2J: y z"),
    ],
)
def test_a_token_endpoint_that_answers_nonsense_is_an_error(
    alice: Person, issuer: Issuer, answer: Answer, message: str
) -> None:
    issuer.token_answer = lambda _: answer

    assert message in _error(alice, *_settings(issuer, alice))
    assert not list(alice.state.glob("*.json"))


def test_a_certificate_of_an_unknown_authority_is_refused(alice: Person, issuer: Issuer) -> None:
    error = _error(alice, f"--issuer={issuer.url}", "--flow=client-credentials")

    assert "cannot be trusted" in error
    assert "name its CA with --certificate-authority" in error
    assert issuer.asked == []


def test_a_certificate_of_another_host_is_refused(alice: Person, issuer: Issuer) -> None:
    elsewhere = issuer.url.replace("127.0.0.1", "127.1")  # the same address by another name

    error = _error(alice, *_settings(issuer, alice), f"--issuer={elsewhere}")

    assert "cannot be trusted: Hostname mismatch" in error
    assert "--certificate-authority" not in error
    assert issuer.asked == []


def test_the_authority_may_be_given_in_the_settings_themselves(
    alice: Person, issuer: Issuer, certificates: Certificates
) -> None:
    data = base64.b64encode(certificates.authority.read_bytes()).decode()

    done = alice.get_token(
        f"--issuer={issuer.url}",
        "--flow=client-credentials",
        f"--certificate-authority-data={data}",
    )

    assert issuer.issued[0] in done.stdout


def test_a_file_without_certificates_is_an_error(alice: Person, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")

    error = _error(
        alice,
        "--issuer=https://x.test",
        "--flow=client-credentials",
        f"--certificate-authority={empty}",
    )

    assert f"cannot use the certificates of {empty}" in error


def test_an_issuer_that_calls_itself_otherwise_is_refused(alice: Person, issuer: Issuer) -> None:
    issuer.metadata = {"issuer": "https://evil.test"}

    error = _error(alice, *_settings(issuer, alice))

    assert "calls itself 'https://evil.test': set --issuer to exactly that" in error


def test_an_endpoint_without_tls_is_refused(alice: Person, issuer: Issuer) -> None:
    issuer.metadata = {"token_endpoint": "http://127.0.0.1/token"}

    assert "token_endpoint must be an https:// URL" in _error(alice, *_settings(issuer, alice))


@pytest.mark.parametrize("character", ["\x1b", "\n", " ", "\u202e"])
def test_an_endpoint_that_would_move_the_terminal_is_refused(
    alice: Person, issuer: Issuer, character: str
) -> None:
    issuer.metadata = {"token_endpoint": f"{issuer.url}/{character}token"}

    error = _error(alice, *_settings(issuer, alice))

    assert "token_endpoint must be an https:// URL" in error
