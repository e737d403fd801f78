"""The application: the only place where parts are put together.

Read `create_app` and ``service.build``, and the service is understood: a
configuration becomes a `Service` (authenticators, an authorizer), the reviews'
endpoints ask whichever service is current, and ASGI and Flask carry requests to
them.

Nothing is started here: a worker calls `Application.start` after the fork.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import structlog
from a2wsgi import WSGIMiddleware
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from authsvc import certificates, log
from authsvc.config import load
from authsvc.config.naming import shared_names
from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.reloading import Reloading
from authsvc.service import Service, build
from authsvc.tallies import Publisher
from authsvc.webhook import health, oauth2
from authsvc.webhook.asgi import ASGIApplication, Receive, ReviewsApplication, Scope, Send
from authsvc.webhook.decisionlog import DecisionLog
from authsvc.webhook.health import Check
from authsvc.webhook.responses import respond
from authsvc.webhook.reviews import ClientCheck, Endpoint, failure
from authsvc.webhook.subjectaccessreview import SubjectAccessReviewHandler
from authsvc.webhook.tokenreview import TokenReviewHandler
from authsvc.webhook.wsgi import Environ, ReviewsWSGI, StartResponse, WSGIApplication

_log = structlog.get_logger()

CONFIG_VARIABLE = "AUTHSVC_CONFIG"

# A new configuration often names files that come after it: keys, tables.
_RETRY_SECONDS = 5.0


class Application(Flask):
    """A Flask application that is an ASGI application as well.

    Both call it, each with its own arguments. The reviews take a short way past
    Flask's own machinery under either; everything else is Flask's.
    """

    def __init__(self, file: Path) -> None:
        super().__init__("authsvc", static_folder=None)
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
        settings = self._service.load().configuration
        server = settings.server
        self.settings = settings
        self.certificates = (
            certificates.following(server.tls, server.engine) if server.tls else None
        )
        self._threads = server.threads
        self._decisions = DecisionLog(settings.logging.decisions)
        self._publisher = Publisher()
        clients = ClientCheck(
            required=server.tls is not None,
            allowed_names=server.tls.allowed_client_names if server.tls else frozenset(),
        )
        tokens = TokenReviewHandler(lambda: self._service.current.tokens, self._decisions)
        access = SubjectAccessReviewHandler(
            lambda: self._service.current.authorizer,
            self._decisions,
            lambda: self._service.current.configuration.authorization.model is None,
        )
        endpoints = {
            "/authenticate": Endpoint("authenticate", tokens, clients, server.max_body),
            "/authorize": Endpoint("authorize", access, clients, server.max_body),
        }
        # `kubectl create --raw` appends its path to that of the kubeconfig's server,
        # which has to be the exact URL for the API server.
        endpoints |= {path * 2: endpoint for path, endpoint in endpoints.items()}
        self.register_blueprint(health.blueprint(self.checks))
        self.register_blueprint(oauth2.blueprint(lambda: self._service.current.issuer))
        self.register_error_handler(HTTPException, _http_error)
        self.register_error_handler(Exception, _crash)
        self._asgi = ReviewsApplication(
            endpoints,
            dict.fromkeys(health.PATHS, _carrier(super().wsgi_app, threads=2)),
            _carrier(super().wsgi_app, threads=16),
            self._executor,
            server.body_timeout,
        )
        self._wsgi = ReviewsWSGI(
            endpoints, super().wsgi_app, waiting=server.threads, prompt_paths=health.PATHS
        )

    def __call__(self, *arguments: Any) -> Any:
        """Answer a WSGI call (environ, start_response) or an ASGI call (scope, receive, send)."""
        if len(arguments) == 2:
            self.start()
            return self.wsgi_app(*arguments)
        scope, receive, send = arguments
        if scope["type"] == "http":
            return self._asgi(scope, receive, send)
        return self._other(scope, receive, send)

    def wsgi_app(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI call; this is where Flask lets itself be wrapped."""
        return self._wsgi(environ, start_response)

    def start(self) -> None:
        """Start all that runs, once per process and never before the fork."""
        if self._started_in == os.getpid():
            return
        with self._starting:
            if self._started_in == os.getpid():
                return
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="review")
            self._decisions.start()
            self._publisher.start()
            if self.certificates is not None:
                self.certificates.start()
            self._service.current.start()
            self._started_in = os.getpid()
            self._service.start()
        for shared in shared_names(self.settings.authentication.authenticators):
            _log.warning("authenticators_share_user_names", **shared._asdict())
        for doubt in self._service.current.doubts():
            _log.warning("table_names_the_control_plane", place=str(doubt))
        for warning in self._ending():
            _log.warning("certificate_ends", warning=warning)
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
            self._service.current.close()
            if self.certificates is not None:
                self.certificates.close()
            self._decisions.close()
            self._publisher.close()
            self._started_in = None
        atexit.unregister(self.close)

    def checks(self) -> Sequence[Check]:
        """Return how each part that lives in files is."""
        return [Check(each.part, each.generation > 0, self._detail(each)) for each in self._files()]

    def warnings(self) -> Sequence[str]:
        """Return what works today, but not for long, or not as it is perhaps thought to."""
        shared = shared_names(self.settings.authentication.authenticators)
        doubts = self._service.current.doubts()
        return [*self._ending(), *map(str, shared), *map(str, doubts)]

    def follow(self) -> None:
        """Look at the files once: for the master, whose state new workers begin with."""
        for each in self._files():
            each.poll()

    def _files(self) -> Sequence[Reloading[Any]]:
        certificates = () if self.certificates is None else (self.certificates,)
        return (self._service, *self._service.current.files, *certificates)

    def _detail(self, part: Reloading[Any]) -> str:
        if part.last_error:
            return f"last good kept: {part.last_error}"
        return "\n".join(self._ending()) if part is self.certificates else ""

    def _ending(self) -> Sequence[str]:
        return () if self.certificates is None else self.certificates.current.ending(time.time())

    def _executor(self) -> Executor:
        self.start()
        assert self._pool is not None  # noqa: S101  made by start
        return self._pool

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
        now = self._service.current.configuration
        if (now.server, now.logging) != (self.settings.server, self.settings.logging):
            _log.warning("server_or_logging_settings_changed_restart_to_use_them")

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start and stop with the server (ASGI lifespan); nothing else but HTTP is spoken."""
        if scope["type"] != "lifespan":
            return
        await receive()
        self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.close()
        await send({"type": "lifespan.shutdown.complete"})


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
    application = Application(Path(file).absolute())
    logging = application.settings.logging
    log.configure(logging.level, logging.format)
    return application


def _http_error(error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for it alone
    return respond(failure(error.code or 500, error.description or ""))


def _crash(error: Exception) -> Response:
    _log.error("request_crashed", exc_info=error)
    return respond(failure(503, "the request could not be answered"))
