"""gunicorn's log, in the form of ours."""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger as GunicornLogger


class Logger(GunicornLogger):  # type: ignore[misc]  # gunicorn ships no types
    """Leaves handlers and form to `authsvc.log`; there is no access log: decisions are logged."""

    def setup(self, cfg: Any) -> None:  # noqa: ARG002  gunicorn's signature
        """Take part in `logging`'s tree instead of having handlers of its own."""
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.access_log.handlers.clear()
        self.access_log.disabled = True

    def info(self, msg: str, *arguments: Any, **keywords: Any) -> None:
        """Leave out where it listens: `listeners` says it, and knows of our TLS."""
        if not msg.startswith("Listening at"):
            super().info(msg, *arguments, **keywords)

    @property
    def access_log_enabled(self) -> bool:
        """Say so without looking it up at each request."""
        return False

    def access(self, *_arguments: Any) -> None:
        """Write nothing."""
