"""A web server of the tests' own, for providers that no real program stands for.

It answers always the same or by a function, and remembers what it was asked.
Answers that no HTTP library would send are written to the connection by ``raw``.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest


class Asked(NamedTuple):
    """A request as it came; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: str

    @property
    def form(self) -> Mapping[str, list[str]]:
        """The body's fields."""
        return parse_qs(self.body)


class Answer(NamedTuple):
    """What to answer; ``body`` is sent as JSON unless it is bytes."""

    body: object = b""
    status: int = 200
    headers: Mapping[str, str] = {}


Raw = Callable[[BufferedIOBase], object]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer: Callable[[Asked], Answer]
    raw: Raw | None
    asked: list[Asked]

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # some tests are about clients that give up
            super().handle()

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command or "", url.path, parse_qs(url.query), headers, body)
        self.asked.append(asked)
        if self.raw is None:
            self._write(self.answer(asked))
        else:
            self.close_connection = True
            self.raw(self.wfile)

    def _write(self, given: Answer) -> None:
        content = given.body
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        self.send_response(given.status)
        for name, value in given.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its signature
        pass


class WebServer:
    """A server on a free loopback port; ``asked`` is every request it has had."""

    def __init__(
        self,
        answer: Callable[[Asked], Answer] | Answer,
        *,
        raw: Raw | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.asked: list[Asked] = []
        answering = (lambda _: answer) if isinstance(answer, Answer) else answer
        attributes = {
            "answer": staticmethod(answering),
            "raw": None if raw is None else staticmethod(raw),
            "asked": self.asked,
        }
        handler = type("Handler", (_Handler,), attributes)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._scheme = "http" if tls is None else "https"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def paths(self) -> list[str]:
        """Return the paths it was asked for."""
        return [asked.path for asked in self.asked]

    def stop(self) -> None:
        """Stop it, so that its port refuses connections."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


_NOTHING = Answer()
NewWebServer = Callable[..., WebServer]


@pytest.fixture
def new_web_server() -> Iterator[NewWebServer]:
    """Make servers; the arguments are those of WebServer."""
    made: list[WebServer] = []

    def make(answer: Callable[[Asked], Answer] | Answer = _NOTHING, **arguments: Any) -> WebServer:
        made.append(WebServer(answer, **arguments))
        return made[-1]

    yield make
    for server in made:
        server.stop()
