"""A worker of Granian's: what its WSGI application adds to ours, and how it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from authsvc.app import Application
from authsvc.webhook.wsgi import CLIENT_IS_VERIFIED, Environ, StartResponse

# Tells a worker that its end is near.
DRAIN = signal.SIGUSR1

# How often it is looked whether the main process still lives.
_LOOK_SECONDS = 5.0


class Carrier:
    """A worker's WSGI application."""

    def __init__(self, application: Application, listener: socket.socket) -> None:
        self._application = application.wsgi_app
        self._listener = listener
        # By Granian, for every connection: without a certificate there is none.
        self._is_verified = application.settings.server.tls is not None
        self._draining = False
        signal.signal(DRAIN, self._drain)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._is_verified:
            environ[CLIENT_IS_VERIFIED] = True
        if self._draining:
            start_response = _announcing_the_end(start_response)
        return self._application(environ, start_response)

    def _drain(self, *_: object) -> None:
        self._draining = True
        _stop_accepting(self._listener)


def _stop_accepting(listener: socket.socket) -> None:
    """Leave new connections to others; Granian would take them to its very end.

    Wherever this process has the listener it then has one that nobody knows.
    """
    nobodys = socket.socket(socket.AF_UNIX)
    nobodys.bind(f"\0authsvc-{os.getpid()}")  # no file: Linux' abstract names
    nobodys.listen()
    nobodys.setblocking(False)
    inode = os.fstat(listener.fileno()).st_ino
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the descriptor that reads the folder is gone by now
            if os.fstat(int(entry.name)).st_ino == inode:
                os.dup2(nobodys.fileno(), int(entry.name), inheritable=False)


def _announcing_the_end(start_response: StartResponse) -> StartResponse:
    def start(status: str, headers: Sequence[tuple[str, str]], *more: Any) -> Any:
        return start_response(status, [*headers, ("connection", "close")], *more)

    return start


def end_with(parent: int) -> None:
    """End this process when its parent is gone: nobody else would."""
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
