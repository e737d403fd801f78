"""gunicorn's ASGI worker, with what an API server's webhook needs besides.

- the names of the client's certificate reach the application (ASGI's ``tls``
  extension);
- a connection that sends no whole header in time is closed, and there is a
  limit to connections, so that slow clients can not hold up the rest;
- probes may have a listener of their own, without TLS and for nothing else;
- a stopping worker announces the end of each connection with the next answer,
  and closes idle ones after a moment for requests that are on their way. A
  connection that ends unannounced costs a user of the API server an error.

Only what gunicorn offers to subclasses is used: the worker's methods, and a
protocol's ``app`` and asyncio callbacks.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from typing import TYPE_CHECKING, Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

from authsvc.server.common import LINGER_SECONDS
from authsvc.server.connections import Connections
from authsvc.server.listeners import BACKLOG
from authsvc.server.tls import FollowingContext
from authsvc.webhook.asgi import PROBES_ONLY
from authsvc.webhook.clientcert import names_of

if TYPE_CHECKING:
    from authsvc.app import Application
    from authsvc.webhook.asgi import Receive, Scope, Send

_CHECK_SECONDS = 0.05

# gunicorn looks for its C parser once and keeps what it found on the class it
# asks, which must be its own and not the subclass below.
ASGIProtocol._check_h1c_protocol_available()  # noqa: SLF001


class Protocol(ASGIProtocol):  # type: ignore[misc]  # gunicorn ships no types
    """One connection."""

    worker: Worker
    app: Any
    transport: Any

    def __init__(self, worker: Worker, *, probes: bool) -> None:
        super().__init__(worker)
        self._probes = probes

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take a connection, or close it where there are too many."""
        self._timer: asyncio.TimerHandle | None = None
        self.active = 0
        self.transport = transport
        application = self.app
        extensions: dict[str, Any] = {PROBES_ONLY: {}} if self._probes else {}
        connection = transport.get_extra_info("ssl_object")
        names = None
        if connection is not None:
            names = names_of(connection.getpeercert())
            extensions["tls"] = {"client_cert_names": names}
        # Without TLS whoever is on loopback is as good as anybody.
        anonymous = self._probes or (connection is not None and names is None)
        self._refused = not self.worker.connections.admit(self, anonymous=anonymous)
        if self._refused:
            transport.abort()
            return

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            self._cancel_timer()
            scope["extensions"] = {**scope.get("extensions", {}), **extensions}
            self.active += 1
            if self.worker.draining:
                send = _announcing_the_end(send)
            try:
                await application(scope, receive, send)
            finally:
                self.active -= 1

        self.app = call
        self._timer = self.worker.loop.call_later(
            self.worker.header_timeout, self._header_timeout, transport
        )
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless the connection was refused."""
        if not self._refused:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._cancel_timer()
        if not self._refused:
            self.worker.connections.discard(self)
            super().connection_lost(exc)
            if self._task is None:
                self._let_go()
            else:
                self._task.add_done_callback(self._let_go)

    def close(self) -> None:
        """Close the connection, once all is sent."""
        self.transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    def _let_go(self, *_: object) -> None:
        """Leave no cycle behind: only a full collection would find it, and those are rare."""
        self.app = self.transport = self.writer = None
        self._callback_parser = self._flow_control = None

    def _header_timeout(self, transport: asyncio.Transport) -> None:
        # Only the first request is timed here. Later ones fall under the
        # keep-alive time, which gunicorn runs until a header is whole.
        transport.abort()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _announcing_the_end(send: Send) -> Send:
    async def sending(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            others = [header for header in message["headers"] if header[0] != b"connection"]
            message = {**message, "headers": [*others, (b"connection", b"close")]}
        await send(message)

    return sending


class Worker(ASGIWorker):  # type: ignore[misc]  # gunicorn ships no types
    """One process."""

    sockets: list[Any]

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.connections = Connections(self.cfg.worker_connections)
        self.header_timeout = 0.0
        self.stop_timeout = 0.0
        self.draining = False
        self._stop_by = math.inf

    def handle_exit_signal(self) -> None:
        """Begin to stop, on SIGTERM.

        gunicorn is told a moment later: it would close the connections whose
        answers are being written, without having announced it.
        """
        if not self.draining:
            self._drain()
            self.loop.call_later(LINGER_SECONDS, super().handle_exit_signal)

    def _drain(self) -> None:
        self.draining = True
        self._stop_by = self.loop.time() + self.stop_timeout
        for server in self.servers:
            server.close()

    async def _serve(self) -> None:
        application: Application = self.asgi
        runtime = application.runtime
        settings = runtime.configuration.server
        self.header_timeout = settings.header_timeout
        self.stop_timeout = settings.stop_timeout
        # In a worker gunicorn uses this for one thing: how long the application
        # waits for the next piece of a body. The heartbeat is the master's.
        self.cfg.set("timeout", math.ceil(settings.body_timeout))
        certificates = runtime.certificates
        context = None if certificates is None else FollowingContext(certificates)
        try:
            runtime.start()
            main, *probes = self.sockets
            await self._listen(main, context)
            for socket in probes:
                await self._listen(socket, None, probes=True)
            # gunicorn's own loop from here on; it finds all sockets taken care of.
            self.sockets = []
            await super()._serve()
        finally:
            runtime.close()

    async def _listen(
        self, socket: Any, context: ssl.SSLContext | None, *, probes: bool = False
    ) -> None:
        timeout = {} if context is None else {"ssl_handshake_timeout": self.header_timeout}
        server = await self.loop.create_server(
            lambda: Protocol(self, probes=probes),
            sock=socket.sock,
            ssl=context,
            backlog=BACKLOG,  # it listens anew, by default with a queue of 100
            **timeout,
        )
        self.servers.append(server)

    async def _shutdown(self) -> None:
        if not self.draining:  # the master is gone, or SIGINT came
            self._drain()
            await asyncio.sleep(LINGER_SECONDS)
        while not self._quick_shutdown and self.loop.time() < self._stop_by:
            for connection in self.connections:
                if not connection.active:
                    connection.close()
            if not self.connections:
                break
            await asyncio.sleep(_CHECK_SECONDS)
        for connection in self.connections:
            connection.abort()
        await super()._shutdown()
