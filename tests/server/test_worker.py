"""What gunicorn's worker adds to gunicorn: here, how it lets a connection go."""

from __future__ import annotations

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import Any

import uvloop
from gunicorn.config import Config
from gunicorn.glogging import Logger

from authsvc.server.connections import Connections
from authsvc.server.worker import Protocol
from tests.benchmarks import hello

_REQUEST = b"POST /authorize HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


def test_a_connection_that_ended_is_freed_without_a_collection() -> None:
    gc.disable()  # full collections are rare, and a policy's reload exempts what is alive
    try:
        left = uvloop.run(asyncio.wait_for(_made_and_lost(), 30))
    finally:
        gc.enable()
    assert left == 0


async def _made_and_lost() -> int:
    loop = asyncio.get_running_loop()
    worker = _worker(loop)
    alive: weakref.WeakSet[Protocol] = weakref.WeakSet()

    def made() -> Protocol:
        protocol = Protocol(worker, probes=False)
        alive.add(protocol)
        return protocol

    server = await loop.create_server(made, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_REQUEST)
        assert b"200 OK" in await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert len(alive) > 0
    # gunicorn gives a task a moment after its client is gone.
    deadline = loop.time() + worker.cfg.asgi_disconnect_grace_period + 10
    while alive and loop.time() < deadline:  # noqa: ASYNC110  nobody says when an object is freed
        await asyncio.sleep(0.1)
    server.close()
    return len(alive)


def _worker(loop: asyncio.AbstractEventLoop) -> Any:
    settings = Config()
    settings.set("asgi_disconnect_grace_period", 1)
    return SimpleNamespace(
        cfg=settings,
        log=Logger(settings),
        asgi=hello.asgi,
        loop=loop,
        nr=0,
        nr_conns=0,
        alive=True,
        max_requests=10**9,
        connections=Connections(1000),
        header_timeout=10.0,
        draining=False,
    )
