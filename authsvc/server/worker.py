"""gunicorn's ASGI worker, with what an API server's webhook needs besides.

- the names of the client's certificate reach the application (ASGI's ``tls``
  extension);
- a connection that sends no whole header in time is closed, and there is a
  limit to connections, so that slow clients can not hold up the rest;
- probes may have a listener of their own, without TLS and for nothing else;
- a stopping worker announces the end of each connection with the next answer,
  and closes idle ones after a moment for requests that are on their way. A
  connection that ends unannounced costs a user of the API server an error;
- a review takes a short way through its connection (`protocol`).
"""

from __future__ import annotations

import asyncio
import math
import ssl
from typing import TYPE_CHECKING, Any

from gunicorn.workers.gasgi import ASGIWorker

from authsvc.server.common import LINGER_SECONDS
from authsvc.server.connections import Connections
from authsvc.server.listeners import BACKLOG
from authsvc.server.protocol import Protocol
from authsvc.server.tls import FollowingContext

if TYPE_CHECKING:
    from authsvc.app import Application

_CHECK_SECONDS = 0.05


class Worker(ASGIWorker):  # type: ignore[misc]  # gunicorn ships no types
    """One process."""

    sockets: list[Any]

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.connections = Connections(self.cfg.worker_connections)
        self.header_timeout = 0.0
        self.stop_timeout = 0.0
        self.draining = False
        # By status: the beginning of an answer, and the date that it has.
        self.heads: dict[int, tuple[bytes, bytes]] = {}
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
