"""The master process: `authsvc serve`."""

from __future__ import annotations

from pathlib import Path

import structlog
from gunicorn.app.base import BaseApplication

from authsvc.app import Application, create_app
from authsvc.errors import AuthsvcError
from authsvc.server.settings import gunicorn_settings

_log = structlog.get_logger()


class Master(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn with our configuration; SIGHUP takes a new one whole, or not at all."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._application = create_app(file)
        super().__init__(prog="authsvc")

    def load_config(self) -> None:
        """Set gunicorn's settings from ours."""
        for name, value in gunicorn_settings(self._application.settings).items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        """Return the application, loaded and not started."""
        return self._application

    def reload(self) -> None:
        """Load everything anew for the workers to come; keep what there is where that fails."""
        try:
            application = create_app(self._file)
        except AuthsvcError as error:
            _log.error("reload_failed_last_good_kept", part="server", error=str(error))
            return
        except Exception:  # noqa: BLE001  a fault of ours must not end what works
            _log.error("reload_crashed", part="server", exc_info=True)
            return
        self._application = application
        self.callable = None
        super().reload()


def run(file: Path) -> None:
    """Serve until a signal says to stop.

    Raises:
        InvalidConfigurationError, InvalidPolicyError: every error of the files.
    """
    Master(file).run()
