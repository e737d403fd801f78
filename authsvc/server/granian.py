"""Granian round the application: `server.engine: Granian`.

Granian carries requests in Rust and hands them to threads by WSGI, which costs
less than half of what its ASGI does (tests/benchmarks/README.md). What it does
not have is added here:

- a reload takes everything new, the certificates too, or nothing at all;
- a stopping worker first announces the end of each connection with its next
  answer, as a connection that ends unannounced costs a user of the API server
  an error;
- workers share one listener, so what waits in its queue is not lost with one;
- probes have a listener of their own: Granian demands a client certificate of
  everybody who connects, and shows it to nobody.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.connection import wait
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from typing import Any

import structlog
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import mp
from granian.server.common import AbstractServer
from granian.server.mp import MPServer, WorkerProcess
from gunicorn.systemd import sd_notify
from prometheus_client import multiprocess

from authsvc.app import Application, create_app
from authsvc.certificates import Certificates
from authsvc.interfaces import Lifecycle
from authsvc.server.common import CLOSING_SECONDS, LINGER_SECONDS, freeze_loaded, renewed
from authsvc.server.granian_tls import HeldTLS
from authsvc.server.granian_worker import DRAIN, NOWAIT_THREADS, Carrier
from authsvc.server.listeners import (
    BACKLOG,
    addresses,
    listen,
    log_listening,
    warn_if_addresses_changed,
)
from authsvc.server.probes import Probes
from authsvc.server.signal_safe_event import SignalSafeEvent

_log = structlog.get_logger()

# Granian's longest; see `leader_followers`, which ends what is idle.
_IDLE_THREAD_SECONDS = 600

# How often it is looked whether files have changed.
_LOOK_SECONDS = 1.0
_SHORT_LIFE_SECONDS = 1.0

# What Granian cannot use makes a worker panic within a fraction of the trial, which
# begins when the worker gives itself to Granian: on a busy machine that may be late.
_TRIAL_SECONDS = 2.0
_BEGIN_SECONDS = 30.0

_LOG_CONFIG: dict[str, Any] = {
    "handlers": {},
    "formatters": {},
    "loggers": {"_granian": {"propagate": True}},  # to `authsvc.log`
}


class Server(MPServer):  # type: ignore[misc]  # half of Granian is typed, see pyproject
    """Granian's main process with our configuration."""

    _carrier: Carrier
    _begun: Semaphore
    wrks: list[WorkerProcess]
    reload_signal: bool

    def __init__(self, file: Path, application: Application) -> None:
        settings = application.runtime.configuration.server
        super().__init__(
            "authsvc",
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            websockets=False,
            log_level=LogLevels.warning,
            log_dictconfig=_LOG_CONFIG,
        )
        self._file = file
        self._bind = addresses(settings)
        self._listeners = [listen(address) for address in self._bind]
        log_listening(self._listeners, tls=settings.tls is not None)
        self.main_loop_interrupt = SignalSafeEvent()
        self._configure(application, HeldTLS(settings.tls))

    def run(self) -> None:
        """Serve until a signal says to stop."""
        # A worker is a copy of what was loaded; nothing in it can be pickled.
        multiprocessing.set_start_method("fork", force=True)
        signal.signal(DRAIN, signal.SIG_IGN)  # a worker's, from its first moment on
        # Not MPServer's, whose only addition is to advise against so many threads.
        AbstractServer.serve(
            self,
            spawn_target=self._work,
            target_loader=lambda: self._carrier,
            wrap_loader=False,
        )

    def _configure(self, application: Application, tls: HeldTLS) -> None:
        self._application, self._tls = application, tls
        self._tried = _current_certificates(application)
        settings = application.runtime.configuration.server
        self.workers = settings.workers
        self.blocking_threads = settings.threads + NOWAIT_THREADS
        self.blocking_threads_idle_timeout = _IDLE_THREAD_SECONDS
        self.backpressure = settings.max_connections
        # Granian has one time for a header and for what is between requests.
        self.http1_settings = HTTP1Settings(header_read_timeout=int(settings.keep_alive * 1000))
        self.workers_kill_timeout = math.ceil(settings.stop_timeout) + CLOSING_SECONDS
        self.ssl_ctx = tls.context

    # In a worker.

    def _work(self, *arguments: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)  # until Granian takes them: nothing is begun yet
        application = self._application
        main, *others = self._listeners
        probes = [Probes(each, application.wsgi_app) for each in others]
        self._carrier = Carrier(application, main)
        parts: list[Lifecycle] = [application.runtime, self._carrier.threads, *probes]
        mp._wsgi_call_wrap = lambda carrier, *_: carrier  # noqa: SLF001  see `Carrier`
        threading.Thread(target=self._carrier.watch, args=(self.pid,), daemon=True).start()
        for part in parts:
            part.start()
        self._begun.release()
        try:
            self._spawn_wsgi_worker(*arguments)
        finally:
            for part in reversed(parts):
                part.close()

    # In the main process.

    def _init_shared_socket(self) -> None:
        """Share the listener. Granian has one per worker: what waits in it goes with it."""
        self._ssp = self._sso = None
        self._shd = SocketHolder(self._listeners[0].fileno(), False, BACKLOG)

    def _drop_shared_socket(self) -> None:
        for listener in self._listeners:
            listener.close()

    def _spawn_workers(self, spawn_target: Any, target_loader: Any) -> None:
        freeze_loaded()
        self._begun = multiprocessing.Semaphore(0)
        super()._spawn_workers(spawn_target, target_loader)

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        """Wait for what happens. Granian's own gives up when workers die often."""
        if self._end_at_once(self.wrks):
            self._stop_workers()
            sys.exit("error: Granian's workers end at once; they have said why before this")
        sd_notify("READY=1", _log)
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait(_LOOK_SECONDS)
            self.main_loop_interrupt.clear()
            # What the main process has is what a new worker begins with.
            self._application.runtime.follow()
            if self.reload_signal:
                self.reload_signal = False
                self._reload(lambda: create_app(self._file), spawn_target, target_loader)
            elif _current_certificates(self._application) is not self._tried:
                self._reload(lambda: self._application, spawn_target, target_loader)
            self._replace_dead(spawn_target, target_loader)

    def _replace_dead(self, spawn_target: Any, target_loader: Any) -> None:
        self.interrupt_children.clear()
        for index, worker in enumerate(self.wrks):
            if worker.is_alive() or self.interrupt_signal:
                continue
            if time.monotonic() - worker.birth < _SHORT_LIFE_SECONDS:
                time.sleep(_SHORT_LIFE_SECONDS)
            _forget([worker])
            self.wrks[index] = self._spawn_worker(index, spawn_target, target_loader)
            self.wrks[index].start()

    def _reload(
        self, make: Callable[[], Application], spawn_target: Any, target_loader: Any
    ) -> None:
        """Replace the workers, if there is something good to replace them by."""

        def both() -> tuple[Application, HeldTLS]:
            application = make()
            return application, HeldTLS(application.runtime.configuration.server.tls)

        new = renewed(both)
        if new is None:
            return
        application, tls = new
        warn_if_addresses_changed(self._bind, application.runtime.configuration.server)
        good, before = (self._application, self._tls), self.wrks
        self._configure(application, tls)
        self.wrks = []
        self._spawn_workers(spawn_target, target_loader)
        if self._end_at_once(self.wrks):
            message = "the new workers end at once"
            _log.error("reload_failed_last_good_kept", part="server", error=message)
            self._stop_workers()
            self._configure(*good)
            self.wrks = before
            tls.close()
            return
        good[1].close()
        self._end(before)

    def _end_at_once(self, workers: Sequence[WorkerProcess]) -> bool:
        """Whether one of those that begin ends by itself, as all do when Granian dislikes a key."""
        late = time.monotonic() + _BEGIN_SECONDS
        for _ in workers:
            self._begun.acquire(timeout=max(0.0, late - time.monotonic()))
        ended = wait([worker.inner.sentinel for worker in workers], _TRIAL_SECONDS)
        codes = {_exit_code(worker) for worker in workers if worker.inner.sentinel in ended}
        return not self.interrupt_signal and not codes <= {-signal.SIGKILL}

    def _stop_workers(self) -> None:
        self._end(self.wrks)
        self.wrks = []

    def _end(self, workers: Sequence[WorkerProcess]) -> None:
        """Have workers announce their end, then end them."""
        for worker in workers:
            worker.interrupt_by_parent = True
            if worker.is_alive():
                os.kill(worker.inner.pid, DRAIN)
        time.sleep(LINGER_SECONDS)
        for worker in workers:
            worker.terminate()
        deadline = time.monotonic() + self.workers_kill_timeout
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
            if worker.is_alive():
                worker.kill()
                worker.join()
        _forget(workers)


def _exit_code(worker: WorkerProcess) -> int | None:
    """Return how a process ended.

    A thread of Granian's waits for it as well: the system tells one of the two, and
    the other has to wait for the first to write it down.
    """
    deadline = time.monotonic() + _BEGIN_SECONDS
    while worker.inner.exitcode is None and time.monotonic() < deadline:
        time.sleep(0.01)
    code: int | None = worker.inner.exitcode
    return code


def _current_certificates(application: Application) -> Certificates | None:
    certificates = application.runtime.certificates
    return None if certificates is None else certificates.current


def _forget(workers: Iterable[WorkerProcess]) -> None:
    """Drop what ended processes had to say about themselves from the metrics."""
    for worker in workers:
        multiprocess.mark_process_dead(worker.inner.pid)  # type: ignore[no-untyped-call]  # untyped there
