"""The service for a load generator without a client certificate, which wrk can not have.

``python -m tests.benchmarks.uncertified authsvc.yaml service|hello``

Everything else is as `authsvc serve` has it: the TLS of the listener; the
checks, of which the one for the certificate finds that none is required; the
decision log and the metrics. ``hello`` is a bare callable in the same place,
under the same engine with the same settings.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from authsvc.server import shared_metrics

shared_metrics.share()  # before anything that counts is imported

from authsvc.app import create_app  # noqa: E402
from authsvc.config.model import Engine  # noqa: E402
from authsvc.server.granian import Server  # noqa: E402
from authsvc.server.master import Master  # noqa: E402
from authsvc.webhook.reviews import ClientCheck  # noqa: E402
from tests.benchmarks import hello  # noqa: E402


class _Server(Server):
    ssl_ctx: Any

    def _configure(self, *arguments: Any) -> None:
        """Demand no certificate."""
        super()._configure(*arguments)
        *files, _demanded = self.ssl_ctx
        self.ssl_ctx = (*files, False)


def main(file: str, what: str) -> None:
    """Serve until a signal says to stop."""
    with patch("authsvc.app.ClientCheck", lambda **_: ClientCheck(required=False)):
        application = create_app(file)
    if what == "hello":
        # In place of all that is measured.
        application._asgi = hello.asgi  # type: ignore[assignment]  # a function for an object
        application._wsgi = hello.wsgi  # type: ignore[assignment]  # as above
        application.answer_review = lambda environ: None  # noqa: ARG005  the method's signature
        application.answer_now = lambda path, method, names, body: None  # noqa: ARG005  as above
    if application.runtime.configuration.server.engine is Engine.GRANIAN:
        _Server(Path(file), application).run()
    else:
        Master(Path(file), application).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
