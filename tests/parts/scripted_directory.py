"""An LDAP server that answers searches by a function, for what no real server at hand does.

It takes every bind. Messages are those of RFC 4511, in BER by hand.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import pytest

_BIND, _SEARCH = 0x60, 0x63


class Asked(NamedTuple):
    """A search: where, and for which attributes."""

    base: str
    attributes: tuple[str, ...]


class Found(NamedTuple):
    """What is answered: one entry with these attributes, None for no entry, and a result code."""

    attributes: Mapping[str, list[str]] | None
    code: int = 0


class ScriptedDirectory:
    """Listens on a loopback port; ``asked`` is every search it has had."""

    def __init__(self, answer: Callable[[Asked], Found]) -> None:
        self.asked: list[Asked] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Stop listening, and wait for the connections to end, which is for clients to do."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            while data := client.recv(1 << 16):  # a request of these tests is one piece
                number, (tag, request) = list(_items(_only(data)))[:2]
                if tag == _BIND:
                    client.sendall(_message(number[1], _result(0x61, 0)))
                elif tag == _SEARCH:
                    client.sendall(self._search(number[1], request))

    def _search(self, number: bytes, request: bytes) -> bytes:
        parts = [content for _, content in _items(request)]
        names = tuple(name.decode() for _, name in _items(parts[7]))
        self.asked.append(Asked(parts[0].decode(), names))
        found = self._answer(self.asked[-1])
        done = _message(number, _result(0x65, found.code))
        if found.attributes is None:
            return done
        attributes = (
            _tlv(0x30, _text(name), _tlv(0x31, *map(_text, values)))
            for name, values in found.attributes.items()
        )
        return _message(number, _tlv(0x64, _text("cn=eve,dc=x"), _tlv(0x30, *attributes))) + done


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Give tag and content of each element."""
    at = 0
    while at < len(data):
        tag, length, start = data[at], data[at + 1], at + 2
        if length >= 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[at + 2 : start], "big")
        yield tag, data[start : start + length]
        at = start + length


def _only(data: bytes) -> bytes:
    ((_, content),) = _items(data)
    return content


def _tlv(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return bytes([tag, 0x83]) + len(content).to_bytes(3, "big") + content


def _text(value: str) -> bytes:
    return _tlv(0x04, value.encode())


def _result(tag: int, code: int) -> bytes:
    return _tlv(tag, _tlv(0x0A, bytes([code])), _text(""), _text(""))


def _message(number: bytes, operation: bytes) -> bytes:
    return _tlv(0x30, _tlv(0x02, number), operation)


@pytest.fixture
def scripted_directory() -> Iterator[Callable[..., ScriptedDirectory]]:
    """Give a function that starts a directory that answers as another function says."""
    made: list[ScriptedDirectory] = []

    def make(answer: Callable[[Asked], Found]) -> ScriptedDirectory:
        made.append(ScriptedDirectory(answer))
        return made[-1]

    yield make
    for directory in made:
        directory.close()
