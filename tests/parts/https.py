"""One HTTP connection over TLS, as polite or as rude as a test needs it.

with connect(port, trust=ca, identity=api_server) as connection:
    assert connection.post("/authenticate", review).status == 200
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from tests.parts.certificates import KeyPair

SECONDS = 20

# For tests whose server goes away under its clients: CPython leaves a socket to the
# collector whose peer resets it between connect and handshake (ssl.SSLSocket._create).
MAY_BE_RESET = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

Headers = Iterable[tuple[str, str]]


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """A connection that is kept alive until one side closes it."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, method: str = "POST") -> Answer:
        """Return the next answer; ConnectionError when the server closed instead."""
        response = http.client.HTTPResponse(self.socket, method=method)
        try:
            response.begin()
            return Answer(response.status, response.headers, response.read())
        finally:
            response.close()

    def request(
        self, method: str, path: str, body: bytes = b"", headers: Headers | None = None
    ) -> Answer:
        """Ask and return the answer. Headers that are given replace the usual ones."""
        self.send(head(method, path, usual(body) if headers is None else headers) + body)
        return self.receive(method)

    def post(self, path: str, body: object) -> Answer:
        """Post JSON, or bytes as they are."""
        return self.request("POST", path, body if isinstance(body, bytes) else encode(body))

    def is_closed_by_server(self) -> bool:
        """Wait for the server's next word and return whether it is good-bye."""
        try:
            return self.socket.recv(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True

    def close(self) -> None:
        self.socket.close()


def connect(port: int, *, trust: Path | None = None, identity: KeyPair | None = None) -> Connection:
    """Connect to a server on loopback: with TLS when it is said whom to trust."""
    connected = socket.create_connection(("127.0.0.1", port), SECONDS)
    if trust is None:
        return Connection(connected)
    context = ssl.create_default_context(cafile=trust)
    if identity is not None:
        context.load_cert_chain(identity.certificate, identity.key)
    try:
        return Connection(context.wrap_socket(connected, server_hostname="127.0.0.1"))
    except BaseException:
        connected.close()
        raise


def head(method: str, path: str, headers: Headers) -> bytes:
    """Return a request's head as it goes over the wire."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode()


def usual(body: bytes) -> Headers:
    """Return the headers that an API server sends."""
    return (
        ("Host", "127.0.0.1"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
    )


def encode(value: object) -> bytes:
    return json.dumps(value).encode()
