"""The service for a load generator without a client certificate, which wrk can not have.

Everything else is as it is served: the TLS of the listener, which asks for a
certificate; the checks, of which the one for the certificate finds that none is
required; the decision log and the metrics. ``hello`` is a bare callable in the
same place, under the same worker with the same settings.
"""

from __future__ import annotations

from unittest.mock import patch

from authsvc.app import Application, create_app
from authsvc.webhook.reviews import ClientCheck
from tests.benchmarks.hello import application as bare


def service() -> Application:
    """Make the application of AUTHSVC_CONFIG, without the need for a client certificate."""
    with patch("authsvc.app.ClientCheck", lambda **_: ClientCheck(required=False)):
        return create_app()


def hello() -> Application:
    """Make the same, and answer nothing but hello."""
    application = service()
    application._asgi = bare  # type: ignore[assignment]  # in place of all that is measured
    return application
