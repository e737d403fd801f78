"""`authsvc serve`: the application under the engine that its configuration names."""

from __future__ import annotations

from pathlib import Path

from authsvc.app import create_app
from authsvc.config.model import Engine
from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.server.master import Master


def run(file: Path) -> None:
    """Serve until a signal says to stop.

    Raises:
        InvalidConfigurationError, InvalidPolicyError: every error of the files.
    """
    application = create_app(file)
    if application.settings.server.engine is Engine.GUNICORN:
        Master(file, application).run()
        return
    try:
        from authsvc.server.granian import Server
    except ModuleNotFoundError as error:
        if error.name != "granian":
            raise
        message = "Granian is not installed; it comes with authsvc[fast]"
        raise InvalidConfigurationError([ConfigError("server.engine", message)]) from None
    Server(file, application).run()
