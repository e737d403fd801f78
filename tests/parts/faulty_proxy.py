"""A TCP proxy that can do to a connection what networks and servers do on bad days."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from enum import Enum

import pytest

from tests.parts.certificates import KeyPair

_OPERATIONS = {0x60: "bind", 0x42: "unbind", 0x63: "search", 0x50: "abandon", 0x77: "extended"}


class Fault(Enum):
    """What is done to connections."""

    NONE = "pass everything on"
    REFUSE = "reset each connection as soon as it is there"
    HANG = "take connections and requests, and never answer"
    RESET_IN_ANSWER = "pass on the first bytes of an answer and reset"
    DRIP = "pass the answer on, one byte at a time"
    GARBAGE = "answer with as many other bytes"


class FaultyProxy:
    """Listens on a loopback port in front of another; the fault can be changed at any time.

    ``connections`` counts those taken. ``requests`` counts the LDAP operations
    that clients sent, as far as they are in the clear.
    """

    def __init__(self, target: int, certificate: KeyPair | None = None) -> None:
        self.fault = Fault.NONE
        self.connections = 0
        self.received = 0
        self.requests: Counter[str] = Counter()
        self._target = target
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate.certificate, certificate.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._silent: set[socket.socket] = set()
        self._closed = threading.Event()
        self._threads: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Reset every connection there is."""
        for sock in list(self._open):
            _reset(sock)

    def silence(self) -> None:
        """Pass nothing on any more on the connections there are; new ones are not touched."""
        self._silent.update(self._open)

    @property
    def open(self) -> int:
        """The number of sockets that are open, two for each connection."""
        return len(self._open)

    def forget(self) -> None:
        """Start counting anew."""
        self.connections = self.received = 0
        self.requests.clear()

    def close(self) -> None:
        """Stop listening, and end every connection."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        if self.fault is Fault.REFUSE:
            _reset(client)
            return
        self._open.add(client)
        server: socket.socket | None = None
        try:
            if self.fault is not Fault.HANG and self._context is not None:
                self._open.discard(client)
                client = self._context.wrap_socket(client, server_side=True)
                self._open.add(client)
            server = socket.create_connection(("127.0.0.1", self._target))
            self._open.add(server)
            self._relay(client, server)
        except OSError:
            pass  # one of the two is gone, which is the other's end as well
        finally:
            for sock in (client, server):
                if sock is not None:
                    self._open.discard(sock)
                    sock.close()

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        # Under TLS a read may leave decoded bytes behind that select does not see.
        with selectors.DefaultSelector() as selector:
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setblocking(True)
                selector.register(sock, selectors.EVENT_READ)
            while not self._closed.is_set():
                for key, _ in selector.select(0.1):
                    assert isinstance(key.fileobj, socket.socket)
                    data = key.fileobj.recv(1 << 16)
                    if not data:
                        return
                    if client in self._silent:
                        continue
                    if key.fileobj is client:
                        self._from_client(server, data)
                    else:
                        self._from_server(client, data)

    def _from_client(self, server: socket.socket, data: bytes) -> None:
        self.received += len(data)
        self.requests.update(_operations(data))
        if self.fault is not Fault.HANG:
            server.sendall(data)

    def _from_server(self, client: socket.socket, data: bytes) -> None:
        match self.fault:
            case Fault.HANG:
                return
            case Fault.RESET_IN_ANSWER:
                client.sendall(data[:5])
                time.sleep(0.02)  # so that they are read before the reset overtakes them
                _reset(client)
                raise ConnectionResetError
            case Fault.DRIP:
                for octet in data:
                    if self._closed.wait(0.1):
                        return
                    client.sendall(bytes([octet]))
            case Fault.GARBAGE:
                client.sendall(bytes(octet ^ 0x55 for octet in data))
            case _:
                client.sendall(data)


def _operations(data: bytes) -> Iterator[str]:
    """Give the operations of the LDAP messages in a piece of a stream (RFC 4511, section 4.1)."""
    at = 0
    while at + 2 < len(data) and data[at] == 0x30:
        length, start = _length(data, at + 1)
        id_length, id_start = _length(data, start + 1)
        tag = data[id_start + id_length] if id_start + id_length < len(data) else 0
        if tag in _OPERATIONS:
            yield _OPERATIONS[tag]
        at = start + length


def _length(data: bytes, at: int) -> tuple[int, int]:
    if data[at] < 0x80:
        return data[at], at + 1
    octets = data[at] & 0x7F
    return int.from_bytes(data[at + 1 : at + 1 + octets], "big"), at + 1 + octets


def _reset(sock: socket.socket) -> None:
    """End a connection with RST, as a crashed host's firewall does."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


@pytest.fixture
def faulty_proxy() -> Iterator[Callable[..., FaultyProxy]]:
    """Give a function that puts a proxy in front of a port."""
    made: list[FaultyProxy] = []

    def make(target: int, certificate: KeyPair | None = None) -> FaultyProxy:
        proxy = FaultyProxy(target, certificate)
        made.append(proxy)
        return proxy

    yield make
    for proxy in made:
        proxy.close()
