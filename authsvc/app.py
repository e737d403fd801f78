"""The application: the only place where parts are put together.

Read this and ``service.build``, and the service is understood: a configuration
becomes a `Service` (authenticators, an authorizer), a `Runtime` keeps it up to
date, the reviews' endpoints ask whichever service is current, and ASGI and Flask
carry requests to them.

Nothing is started here: a worker calls `Runtime.start` after the fork.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import structlog
from a2wsgi import WSGIMiddleware
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from authsvc import log
from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.runtime import Runtime
from authsvc.webhook import health, oauth2
from authsvc.webhook.asgi import ASGIApplication, Receive, ReviewsApplication, Scope, Send
from authsvc.webhook.responses import respond
from authsvc.webhook.reviews import ClientCheck, Endpoint, failure
from authsvc.webhook.subjectaccessreview import SubjectAccessReviewHandler
from authsvc.webhook.tokenreview import TokenReviewHandler
from authsvc.webhook.wsgi import Environ, ReviewsWSGI, StartResponse, WSGIApplication

_log = structlog.get_logger()

CONFIG_VARIABLE = "AUTHSVC_CONFIG"

# Under ASGI: probes have threads of their own, so that nothing holds up a kubelet.
_PROBE_THREADS = 2
_OTHER_THREADS = 16


class Application(Flask):
    """A Flask application that is an ASGI application as well.

    Both call it, each with its own arguments. The reviews take a short way past
    Flask's own machinery under either; everything else is Flask's.
    """

    def __init__(self, runtime: Runtime) -> None:
        super().__init__("authsvc", static_folder=None)
        self.runtime = runtime
        server = runtime.configuration.server
        flask = super().wsgi_app
        self.register_blueprint(health.blueprint(runtime.checks))
        self.register_blueprint(oauth2.blueprint(lambda: runtime.service.issuer))
        self.register_error_handler(HTTPException, _http_error)
        self.register_error_handler(Exception, _crash)
        endpoints = _endpoints(runtime)
        self._asgi = ReviewsApplication(
            endpoints,
            dict.fromkeys(health.PATHS, _carrier(flask, _PROBE_THREADS)),
            _carrier(flask, _OTHER_THREADS),
            lambda: runtime.executor,
            server.body_timeout,
        )
        self._wsgi = ReviewsWSGI(
            endpoints, flask, waiting=server.threads, nowait_paths=health.PATHS
        )
        # For a server that can do without the ceremony of ASGI, or of WSGI.
        self.answer_now = self._asgi.answer_now
        self.answer_review = self._wsgi.answer

    def __call__(self, *arguments: Any) -> Any:
        """Answer a WSGI call (environ, start_response) or an ASGI call (scope, receive, send)."""
        if len(arguments) == 2:
            self.runtime.start()
            return self.wsgi_app(*arguments)
        scope, receive, send = arguments
        if scope["type"] == "http":
            return self._asgi(scope, receive, send)
        return self._lifespan(scope, receive, send)

    def wsgi_app(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI call; this is where Flask lets itself be wrapped."""
        return self._wsgi(environ, start_response)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start and stop with the server; nothing else but this and HTTP is spoken."""
        if scope["type"] != "lifespan":
            return
        await receive()
        try:
            self.runtime.start()
        except Exception:  # noqa: BLE001  the server ends by it; what was raised is ours to log
            _log.error("start_crashed", exc_info=True)
            await send({"type": "lifespan.startup.failed", "message": "see the log"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.runtime.close()
        await send({"type": "lifespan.shutdown.complete"})


def _endpoints(runtime: Runtime) -> Mapping[str, Endpoint]:
    """Return who answers reviews, by path."""
    server = runtime.configuration.server
    clients = ClientCheck(
        required=server.tls is not None,
        allowed_names=server.tls.allowed_client_names if server.tls else frozenset(),
    )
    tokens = TokenReviewHandler(lambda: runtime.service.tokens, runtime.decisions)
    access = SubjectAccessReviewHandler(lambda: runtime.service, runtime.decisions)
    endpoints = {
        "/authenticate": Endpoint("authenticate", tokens, clients, server.max_body),
        "/authorize": Endpoint("authorize", access, clients, server.max_body),
    }
    # `kubectl create --raw` appends its path to that of the kubeconfig's server,
    # which has to be the exact URL for the API server.
    return endpoints | {path * 2: endpoint for path, endpoint in endpoints.items()}


def _carrier(application: WSGIApplication, threads: int) -> ASGIApplication:
    """Return the Flask routes as an ASGI application; the threads start when they are needed."""
    # a2wsgi has types of its own for what both specifications leave to Any.
    middleware = WSGIMiddleware(cast("Any", application), workers=threads)
    return cast("ASGIApplication", middleware)


def create_app(config: str | Path | None = None) -> Application:
    """Make the application of a configuration file, by default the one AUTHSVC_CONFIG names.

    Raises:
        InvalidConfigurationError, InvalidPolicyError: every error of the files.
    """
    file = config or os.environ.get(CONFIG_VARIABLE)
    if not file:
        raise InvalidConfigurationError(
            [ConfigError(CONFIG_VARIABLE, "not set; it names the configuration file")]
        )
    runtime = Runtime(Path(file).absolute())
    logging = runtime.configuration.logging
    log.configure(logging.level, logging.format)
    return Application(runtime)


def _http_error(error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for it alone
    return respond(failure(error.code or 500, error.description or ""))


def _crash(error: Exception) -> Response:
    _log.error("request_crashed", exc_info=error)
    return respond(failure(503, "the request could not be answered"))
