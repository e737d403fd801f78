"""gunicorn's master process, with our configuration."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.sock import create_sockets

from authsvc.app import Application, create_app
from authsvc.server.common import renewed
from authsvc.server.listeners import addresses, listen, warn_if_addresses_changed
from authsvc.server.settings import gunicorn_settings


class Master(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn with our configuration; SIGHUP takes a new one whole, or not at all."""

    def __init__(self, file: Path, application: Application) -> None:
        self._file = file
        self._application = application
        self.bind = addresses(application.runtime.configuration.server)
        super().__init__(prog="authsvc")

    def load_config(self) -> None:
        """Set gunicorn's settings from ours."""
        settings = gunicorn_settings(self._application.runtime.configuration)
        for name, value in {**settings, "bind": self.bind}.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        """Return the application, loaded and not started."""
        return self._application

    def follow(self) -> None:
        """Take what changed in the files, as the workers do by themselves."""
        self._application.runtime.follow()

    def renew(self) -> bool:
        """Load everything anew for the workers to come; False where that fails."""
        application = renewed(lambda: create_app(self._file))
        if application is None:
            return False
        warn_if_addresses_changed(self.bind, application.runtime.configuration.server)
        self._application = application
        self.callable = None
        return True

    def run(self) -> None:
        """Serve until a signal says to stop."""
        try:
            _Arbiter(self).run()
        except RuntimeError as error:
            # gunicorn's own words for a start that failed, such as an address in use.
            sys.exit(f"error: {error}")


class _Arbiter(Arbiter):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's master loop, which follows the files and leaves the workers alone on a bad reload.

    What the master has is what a new worker begins with. Were it that of the
    start, a worker that replaces another while a file is broken could not go on
    from the last good one: with a token, say, that was taken out of its table.
    """

    app: Master

    def start(self) -> None:
        """Listen, unless the listeners come from systemd or, on SIGUSR2, from another master.

        gunicorn would take seconds to say that it cannot.
        """
        inherited = "GUNICORN_FD" in os.environ or os.environ.get("LISTEN_PID") == str(os.getpid())
        if not inherited:
            opened = [listen(address).detach() for address in self.app.bind]
            self.LISTENERS = create_sockets(self.cfg, self.log, opened)
        super().start()

    def manage_workers(self) -> None:
        """Keep up with the files, about once a second, and with the number of workers."""
        self.app.follow()
        super().manage_workers()

    def reload(self) -> None:
        """Replace the workers, on SIGHUP, if there is something good to replace them by."""
        if self.app.renew():
            super().reload()
