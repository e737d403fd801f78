"""A worker of Granian's: how it carries a request to the application, and how it ends."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import structlog

from authsvc.app import Application
from authsvc.server.common import LINGER_SECONDS
from authsvc.server.leader_followers import LeaderFollowers
from authsvc.webhook.reviews import failure, headers_of
from authsvc.webhook.wsgi import BEFORE_WAITING, CLIENT_IS_VERIFIED, Environ

_log = structlog.get_logger()

# Tells a worker that its end is near.
DRAIN = signal.SIGUSR1

# Threads that nothing which waits for a back end can take, and how many of them
# are not left to bodies that do not come.
NOWAIT_THREADS = 16
_SPARE_THREADS = 8

# How often it is looked whether a worker should go on.
_LOOK_SECONDS = 1.0
# Of the open files that a process may have.
_NEARLY_ALL = 0.9

_CRASHED = failure(503, "the request could not be answered")


class Carrier:
    """What a worker calls for each request, with the protocol to answer by.

    It is in the place of Granian's own step to WSGI, which copies the
    environment of the process for each request, and has no moment after the
    answer.
    """

    def __init__(self, application: Application, listener: socket.socket) -> None:
        settings = application.runtime.configuration.server
        self._application = application.wsgi_app
        self._answer_review = application.answer_review
        self._listener = listener
        self._draining = False
        self.threads = LeaderFollowers(
            self._give_up_bodies,
            threads=settings.threads + NOWAIT_THREADS,
            spare=_SPARE_THREADS,
            patience=settings.body_timeout,
        )
        self._environ: Environ = {
            "SCRIPT_NAME": "",
            "wsgi.errors": sys.stderr,
            "wsgi.input_terminated": True,
            "wsgi.multiprocess": True,
            "wsgi.multithread": True,
            "wsgi.run_once": False,
            "wsgi.version": (1, 0),
            # By Granian, for every connection: without a certificate there is none.
            CLIENT_IS_VERIFIED: settings.tls is not None,
            BEFORE_WAITING: self.threads.step_aside,
        }
        signal.signal(DRAIN, self._drain)

    def __call__(self, protocol: Any, scope: Environ) -> None:
        self.threads.took()
        try:
            scope.update(self._environ)
            answer = self._answer_review(scope)
            if answer is not None:
                status, headers, body = answer.status, headers_of(answer.status), answer.body
            else:
                begin = _Beginning()
                body = _whole(self._application(scope, begin))
                status, headers = begin.status, begin.headers
            if self._draining:
                headers = [*headers, ("connection", "close")]
            protocol.response_bytes(status, headers, body)
        except Exception:  # noqa: BLE001  Granian would log what it says, which may be a secret
            _log.error("request_crashed", exc_info=True)
            protocol.response_bytes(_CRASHED.status, headers_of(_CRASHED.status), _CRASHED.body)
        self.threads.done()

    def watch(self, parent: int) -> None:
        """Look, for as long as this process lives, whether it should.

        Without its parent nobody else would end it. Granian gives up no
        handshake while it has no open files left, so those never come back.
        """
        while os.getppid() == parent:
            if _is_out_of_files():
                self._replace_me("worker_ends_out_of_open_files")
            time.sleep(_LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    def _drain(self, *_: object) -> None:
        self._draining = True
        with contextlib.suppress(OSError):  # there are no files for it; the end comes all the same
            _stop_accepting(self._listener)

    def _give_up_bodies(self) -> None:
        # Granian has no time for a body and no way to give one up, so clients
        # that send none could have all threads for good.
        self._replace_me("worker_ends_bodies_do_not_come")

    def _replace_me(self, why: str) -> None:
        """End this worker; the main process begins another in its place."""
        if self._draining:
            return
        _log.error(why)
        self._drain()
        threading.Thread(target=_end, daemon=True).start()


class _Beginning:
    """WSGI's ``start_response``."""

    __slots__ = ("headers", "status")

    def __call__(
        self, status: str, headers: Sequence[tuple[str, str]], _exc_info: object = None
    ) -> None:
        self.status = int(status[:3])
        self.headers = headers


def _whole(pieces: Iterable[bytes]) -> bytes:
    try:
        return b"".join(pieces)
    finally:
        if close := getattr(pieces, "close", None):  # PEP 3333
            close()


def _is_out_of_files() -> bool:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir()) > most * _NEARLY_ALL
    except OSError:  # there is none to look with
        return True


def _end() -> None:
    time.sleep(LINGER_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    # Granian would wait for the bodies, and let nobody else have an answer meanwhile.
    time.sleep(LINGER_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _stop_accepting(listener: socket.socket) -> None:
    """Leave new connections to others; Granian would take them to its very end.

    Wherever this process has the listener it then has one that nobody knows.
    """
    inode = os.fstat(listener.fileno()).st_ino
    with socket.socket(socket.AF_UNIX) as nobodys:
        nobodys.bind("")  # to a name without a file that nobody else has: autobind, unix(7)
        nobodys.listen()
        nobodys.setblocking(False)
        for entry in Path("/proc/self/fd").iterdir():
            # The descriptor that reads the folder is gone by now.
            with contextlib.suppress(OSError):
                if os.fstat(int(entry.name)).st_ino == inode:
                    os.dup2(nobodys.fileno(), int(entry.name), inheritable=False)
