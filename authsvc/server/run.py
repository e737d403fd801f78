"""`authsvc serve`: the application under the engine that its configuration names."""

from __future__ import annotations

import resource
from pathlib import Path

from authsvc.app import create_app
from authsvc.config.model import Engine
from authsvc.server.master import Master


def run(file: Path) -> None:
    """Serve until a signal says to stop.

    Raises:
        InvalidConfigurationError, InvalidPolicyError: every error of the files.
    """
    _allow_open_files()
    application = create_app(file)
    if application.runtime.configuration.server.engine is Engine.GUNICORN:
        Master(file, application).run()
        return
    from authsvc.server.granian import Server

    Server(file, application).run()


def _allow_open_files() -> None:
    """Raise the soft limit to the hard one, as programs in Go do.

    Soft limits of 1,024 are for programs that use select(2); here, whoever
    connects could have them all.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
