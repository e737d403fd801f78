"""What runs in a process: the service that files describe, and all that serves it.

Made before the server forks, started once in each worker. Nothing here knows
how a request comes in; that is `authsvc.app`.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import structlog

from authsvc import certificates
from authsvc.certificates import Certificates
from authsvc.config import load
from authsvc.config.exposure import exposed
from authsvc.config.model import Engine
from authsvc.config.naming import shared_names
from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.faults import Faults
from authsvc.reloading import Reloading
from authsvc.service import Service, build
from authsvc.tallies import Publisher
from authsvc.webhook.decisionlog import DecisionLog
from authsvc.webhook.health import Check

_log = structlog.get_logger()

# A new configuration often names files that come after it: keys, tables.
_RETRY_SECONDS = 5.0


class Runtime:
    """The service of a configuration file, with its threads, logs and files; a `Lifecycle`.

    ``configuration`` is that of the start: what it says of the server and of
    logging holds until the process ends. All else is as in ``service``, the
    last good one.
    """

    def __init__(self, file: Path) -> None:
        """Load everything and start nothing.

        Raises:
            InvalidConfigurationError, InvalidPolicyError: every error of the files.
        """
        self._file = file
        self._service: Reloading[Service] = Reloading(
            "configuration",
            self._build,
            [file],
            retire=self._retire,
            keep_inherited=True,
            retry_seconds=_RETRY_SECONDS,
        )
        self._starting = threading.Lock()
        self._started_in: int | None = None
        self._pool: Executor | None = None
        self.configuration = load(file)
        server = self.configuration.server
        self.certificates: Reloading[Certificates] | None = None
        self.decisions = DecisionLog(self.configuration.logging.decisions)
        faults = Faults()
        with faults.collected():
            self._service.load()
        with faults.collected():
            self.certificates = (
                certificates.following(server.tls, server.engine) if server.tls else None
            )
        with faults.collected():
            self.decisions.check()
        with faults.collected():
            _check_engine(server.engine)
        faults.raise_any()
        self._publisher = Publisher()

    @property
    def service(self) -> Service:
        """The last good service."""
        return self._service.current

    @property
    def executor(self) -> Executor:
        """The threads for reviews that wait for a back end."""
        self.start()
        assert self._pool is not None  # noqa: S101  made by start
        return self._pool

    def start(self) -> None:
        """Start all that runs, once per process and never before the fork."""
        if self._started_in == os.getpid():
            return
        with self._starting:
            if self._started_in == os.getpid():
                return
            threads = self.configuration.server.threads
            self._pool = ThreadPoolExecutor(threads, thread_name_prefix="review")
            self.decisions.start()
            self._publisher.start()
            if self.certificates is not None:
                self.certificates.start()
            self.service.start()
            self._started_in = os.getpid()
            self._service.start()
        for shared in shared_names(self.configuration.authentication.authenticators):
            _log.warning("authenticators_share_user_names", **shared._asdict())
        for doubt in self.service.doubts():
            _log.warning("table_names_the_control_plane", place=str(doubt))
        for warning in self._ending():
            _log.warning("certificate_ends", warning=warning)
        for file in self._exposed():
            _log.warning("secret_file_mode_lets_everybody_read", file=str(file))
        for warning in self._idle():
            _log.warning("nothing_is_configured", warning=warning)
        # For servers that do not say when they end.
        atexit.register(self.close)

    def close(self) -> None:
        """Stop all that runs; what was decided is in the decision log afterwards."""
        with self._starting:
            if self._pool is None:
                return
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
            self._service.close()
            self.service.close()
            if self.certificates is not None:
                self.certificates.close()
            self.decisions.close()
            self._publisher.close()
            self._started_in = None
        atexit.unregister(self.close)

    def follow(self) -> None:
        """Look at the files once: for the master, whose state new workers begin with."""
        for each in self._files():
            each.poll()

    def checks(self) -> Sequence[Check]:
        """Return the state of every part that is made from files, and of a log that fails."""
        parts = [
            Check(each.part, each.generation > 0, self._detail(each)) for each in self._files()
        ]
        if self.decisions.problem:
            parts.append(
                Check("decision-log", ready=True, detail=f"{self.decisions.problem}, lines wait")
            )
        return parts

    def warnings(self) -> Sequence[str]:
        """Return what works now but will stop working, or may surprise."""
        shared = shared_names(self.configuration.authentication.authenticators)
        return [
            *self._ending(),
            *map(str, shared),
            *map(str, self.service.doubts()),
            *(f"{file}: its mode lets everybody read it: chmod o-rwx" for file in self._exposed()),
            *self._idle(),
        ]

    def _files(self) -> Sequence[Reloading[Any]]:
        certificates = () if self.certificates is None else (self.certificates,)
        return (self._service, *self.service.files, *certificates)

    def _detail(self, part: Reloading[Any]) -> str:
        if part.last_error:
            return f"last good kept: {part.last_error}"
        return "\n".join(self._ending()) if part is self.certificates else ""

    def _exposed(self) -> Sequence[Path]:
        return exposed(self.service.configuration)

    def _idle(self) -> Sequence[str]:
        """Return a warning where a configuration leaves nothing to do."""
        configuration = self.service.configuration
        if configuration.authentication.authenticators or configuration.authorization.policy_folder:
            return ()
        return ("no authenticators and no policy: every token is nobody's, every question open",)

    def _ending(self) -> Sequence[str]:
        return () if self.certificates is None else self.certificates.current.ending(time.time())

    def _build(self) -> Service:
        """Make a service; one that replaces another runs before it is asked anything."""
        service = build(load(self._file))
        if self._started_in == os.getpid():
            try:
                service.start()
            except BaseException:
                service.close()
                raise
        return service

    def _retire(self, before: Service) -> None:
        before.retire()
        now, then = self.service.configuration, self.configuration
        if (now.server, now.logging) != (then.server, then.logging):
            _log.warning("server_or_logging_settings_changed_reload_to_use_them")


def _check_engine(engine: Engine) -> None:
    if engine is Engine.GRANIAN and find_spec("granian") is None:
        message = "Granian is not installed; it comes with authsvc[fast]"
        raise InvalidConfigurationError([ConfigError("server.engine", message)])
