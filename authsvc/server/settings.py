"""gunicorn's settings, from ours; all that is not said here is gunicorn's default."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import structlog

from authsvc.config import load
from authsvc.config.model import Configuration
from authsvc.errors import AuthsvcError
from authsvc.server.common import CLOSING_SECONDS, freeze_loaded
from authsvc.server.listeners import BACKLOG, addresses, log_listening

_log = structlog.get_logger()


def gunicorn_settings(configuration: Configuration) -> dict[str, Any]:
    """Return what gunicorn is told for a configuration."""
    server = configuration.server
    return {
        "bind": addresses(server),
        "backlog": BACKLOG,
        "proc_name": "authsvc",
        "worker_class": "authsvc.server.worker.Worker",
        "workers": server.workers,
        "worker_connections": server.max_connections,
        "preload_app": True,  # errors end the start; the policy's memory is shared
        "asgi_lifespan": "off",  # the worker starts and stops the application itself
        "http_parser": "auto",  # the one in C where authsvc[fast] installed it
        "keepalive": math.ceil(server.keep_alive),
        # After it the master kills. The worker itself ends by stop_timeout, and
        # then needs a moment to close its parts and write its last decisions.
        "graceful_timeout": math.ceil(server.stop_timeout) + CLOSING_SECONDS,
        "limit_request_line": 4094,
        "limit_request_fields": 64,
        "limit_request_field_size": 8190,
        "forwarded_allow_ips": "",  # nobody in front of us is believed
        "control_socket_disable": True,
        "logger_class": "authsvc.server.gunicorn_log.Logger",
        "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108  a heartbeat file on a disk can block
        "when_ready": lambda arbiter: log_listening(arbiter.LISTENERS, tls=server.tls is not None),
        "pre_fork": _pre_fork,
        "child_exit": _child_exit,
    }


def reloaded_settings(file: Path) -> dict[str, Any]:
    """Return gunicorn's settings of a configuration file; on SIGHUP the last good, if it is broken.

    For gunicorn by itself, which would end at a settings file that fails.
    """
    try:
        _last_good.update(gunicorn_settings(load(file)))
    except AuthsvcError as error:
        if not _last_good:
            raise
        _log.error("reload_failed_last_good_kept", part="server", error=str(error))
    return _last_good


_last_good: dict[str, Any] = {}


def _pre_fork(_arbiter: object, _worker: object) -> None:
    freeze_loaded()


def _child_exit(_arbiter: object, worker: Any) -> None:
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # untyped there
