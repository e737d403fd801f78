"""The address on this machine that the browser comes back to (RFC 8252 section 7.3).

It lives for one login: the first redirect with the right ``state`` is the
answer, and its page is held back until it is known what became of it. Any
other request is turned away, for any page in the browser could make one.
"""

from __future__ import annotations

import contextlib
import hmac
import queue
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from authsvc.client.errors import ClientError

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>kubectl-authsvc</title>
<style>body {{ font: 1.1rem/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 32rem;
padding: 0 1rem; color-scheme: light dark }}</style>
<h1>{title}</h1><p>{text}</p></html>
"""
_DONE = ("You are logged in", "You may close this page and return to the terminal.")
_FAILED = ("The login failed", "The terminal says why. You may close this page.")
_STRAY = (
    "This is not the login that kubectl waits for",
    "It may be from an earlier try. Close this page and use the newest address in the terminal.",
)


class Redirect:
    """Listens while its ``with`` block lasts.

    ``uri`` is the redirect URI with its port; set ``succeeded`` once the login
    is complete, before the block ends: the waiting page says so.
    """

    def __init__(self, uri: str, state: str) -> None:
        parts = urlsplit(uri)
        host = parts.hostname or "127.0.0.1"
        self.path = parts.path or "/"
        self.state = state
        self.succeeded = False
        self.strays = 0
        self.answers: queue.Queue[dict[str, str]] = queue.Queue()
        self.ended = threading.Event()
        self.answered = threading.Event()
        self.taken = threading.Lock()
        self._server = _listen(host, parts.port or 0, self)
        shown = f"[{host}]" if ":" in host else host
        self.uri = f"http://{shown}:{self._server.server_address[1]}{self.path}"

    def wait(self, seconds: float) -> dict[str, str]:
        """Return the parameters of the redirect.

        Raises:
            ClientError: none came in time.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            # Short waits: a Ctrl-C that comes just before a wait is seen only after it.
            with contextlib.suppress(queue.Empty):
                return self.answers.get(timeout=min(0.2, seconds))
        strays = f" ({self.strays} of another login came)" if self.strays else ""
        raise ClientError(
            f"the browser did not come back within {seconds:.0f} s{strays}: log in again, "
            "or with --flow=device if the browser is on another machine"
        )

    def __enter__(self) -> Self:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.ended.set()
        if self.taken.locked():
            self.answered.wait(2)  # let the page reach the browser
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingTCPServer):
    # A thread each: browsers open connections in advance and leave them idle.
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True  # a port named in the settings, again at once

    def __init__(self, address: tuple[str, int], redirect: Redirect) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.redirect = redirect
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a browser that hung up."""


class _Handler(BaseHTTPRequestHandler):
    timeout = 30
    server: _Server

    def do_GET(self) -> None:  # named by http.server
        redirect = self.server.redirect
        parts = urlsplit(self.path)
        if parts.path != redirect.path:
            self.send_error(404)
            return
        answer = dict(parse_qsl(parts.query))
        ours = hmac.compare_digest(answer.get("state", "").encode(), redirect.state.encode())
        if not ours or not redirect.taken.acquire(blocking=False):
            redirect.strays += 1
            self._show(400, *_STRAY)
            return
        redirect.answers.put(answer)
        redirect.ended.wait(60)
        self._show(200, *(_DONE if redirect.succeeded else _FAILED))
        redirect.answered.set()

    def _show(self, status: int, title: str, text: str) -> None:
        page = _PAGE.format(title=title, text=text).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # named by http.server
        """Say nothing: the request line holds the code."""


def _listen(host: str, port: int, redirect: Redirect) -> _Server:
    try:
        return _Server((host, port), redirect)
    except OSError as error:
        raise ClientError(
            f"cannot listen on {host}:{port} for the browser ({error.strerror}): "
            "end what uses that port, or name another with --redirect-uri"
        ) from None
