"""A plain HTTP listener for probes and metrics, for servers that have no second one.

It is served by a few threads of their own, so that neither reviews nor clients
of this port that say nothing, or little by little, can hold it up.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from socketserver import TCPServer
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from authsvc.webhook.health import PATHS
from authsvc.webhook.reviews import failure
from authsvc.webhook.wsgi import Environ, StartResponse, WSGIApplication, send

_THREADS = 8
_TIMEOUT_SECONDS = 5.0


class Probes:
    """Serves the probes of an application on a socket that listens; a `Lifecycle`.

    The socket does not block: other processes may wait on it as well.
    """

    def __init__(self, listener: socket.socket, application: WSGIApplication) -> None:
        self._listener = listener
        self._application = application
        self._server: _Server | None = None

    def start(self) -> None:
        """Start answering, once per process."""
        if self._server is None:
            self._server = _Server(self._listener, self._answer)
            threading.Thread(target=self._server.serve_forever, name="probes", daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.close()

    def _answer(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in PATHS:
            return send(start_response, failure(404, "no such path"))
        return self._application(environ, start_response)


class _Server(WSGIServer):
    def __init__(self, listener: socket.socket, application: WSGIApplication) -> None:
        TCPServer.__init__(self, listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_name, self.server_port = "localhost", 0
        self.setup_environ()
        self.set_app(application)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="probe")
        self._open: deque[socket.socket] = deque()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hand a connection to one of the threads, at the cost of the oldest."""
        self._open.append(request)
        if len(self._open) > _THREADS:
            # It had its time: a probe comes whole and at once.
            with contextlib.suppress(IndexError, OSError):
                self._open.popleft().shutdown(socket.SHUT_RDWR)
        self._threads.submit(self._finish, request, client_address)

    def _finish(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # it said nothing in time, or went away
        finally:
            with contextlib.suppress(ValueError):
                self._open.remove(request)
            self.shutdown_request(request)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Handler(WSGIRequestHandler):
    timeout = _TIMEOUT_SECONDS

    def address_string(self) -> str:
        return str(self.client_address[0])  # and no question to the DNS

    def log_message(self, *_: Any) -> None:
        """Write nothing: a probe is no news."""
