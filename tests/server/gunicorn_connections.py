"""Connections of gunicorn's worker, served for a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, TypeVar

import uvloop
from gunicorn.config import Config
from gunicorn.glogging import Logger

from authsvc.server.connections import Connections
from authsvc.server.protocol import Protocol
from authsvc.webhook.reviews import Answer

T = TypeVar("T")

REQUEST = b"POST /authorize HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class Waypoint:
    """Says which way a request came: ``short`` for `answer_now`, ``long`` for a call."""

    def __init__(self, *, knows: bool = True, size: int = 0) -> None:
        self._knows = knows
        self._more = b" " * size

    def answer_now(self, path: str, method: str, names: object, body: bytes) -> Answer | None:
        assert names is None, "nobody has a certificate here"
        if not self._knows or (path, method) != ("/authorize", "POST"):
            return None
        if body == b"!!":
            raise ValueError("crashed")
        return Answer(200, b"short " + body + self._more)

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer = b"long " + body
        headers = [
            (b"content-type", b"application/json"),
            (b"x-content-type-options", b"nosniff"),
            (b"content-length", b"%d" % len(answer)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


class Client:
    """One connection's other end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def write(self, piece: bytes) -> None:
        self._writer.write(piece)

    async def line(self) -> bytes:
        return await self._reader.readline()

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(0.05)

    async def answer(self) -> tuple[bytes, bytes]:
        """Return the head and the body of the next answer."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        return head, await self._reader.readexactly(length)

    async def ask(self, *pieces: bytes) -> bytes:
        """Send a request, return the body of its answer."""
        await self.send(*pieces)
        return (await self.answer())[1]

    async def is_closed(self, seconds: float) -> bool:
        """Whether the server closes the connection in that time."""
        try:
            return await asyncio.wait_for(self._reader.read(1), seconds) == b""
        except TimeoutError:
            return False

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


@asynccontextmanager
async def serving(
    made: Callable[[Protocol], object] = lambda _: None,
    *,
    application: Any = None,
    probes: bool = False,
    header_timeout: float = 10.0,
    **settings: Any,
) -> AsyncIterator[tuple[Callable[[], Awaitable[Client]], Any]]:
    """Serve; yields what connects a client, and the worker."""
    loop = asyncio.get_running_loop()
    worker = _worker(loop, application or Waypoint(), settings)
    worker.header_timeout = header_timeout

    def make() -> Protocol:
        protocol = Protocol(worker, probes=probes)
        made(protocol)
        return protocol

    server = await loop.create_server(make, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clients: list[Client] = []

    async def connect() -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        clients.append(client)
        return client

    try:
        yield connect, worker
    finally:
        for client in clients:
            await client.close()
        server.close()
        for handler in worker.log.access_log.handlers:
            handler.close()


def _worker(loop: asyncio.AbstractEventLoop, application: Any, settings: dict[str, Any]) -> Any:
    config = Config()
    for name, value in {"asgi_disconnect_grace_period": 1, "keepalive": 30, **settings}.items():
        config.set(name, value)
    return SimpleNamespace(
        cfg=config,
        log=Logger(config),
        asgi=application,
        loop=loop,
        nr=0,
        nr_conns=0,
        alive=True,
        max_requests=10**9,
        connections=Connections(1000),
        header_timeout=10.0,
        draining=False,
        heads={},
    )


def run(test: Awaitable[T]) -> T:
    """Run a test on the loop that gunicorn's worker has."""
    return uvloop.run(asyncio.wait_for(test, 60))
