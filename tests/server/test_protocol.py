"""A connection of gunicorn's worker: the short way of a review, and how it is let go."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from gunicorn.config import Config
from gunicorn.glogging import Logger
from structlog.testing import capture_logs

from authsvc.server.connections import Connections
from authsvc.server.protocol import Protocol
from authsvc.webhook.reviews import Answer

_REQUEST = b"POST /authorize HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class _Application:
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


class _Client:
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
async def _serving(
    made: Callable[[Protocol], object] = lambda _: None,
    *,
    application: Any = None,
    probes: bool = False,
    header_timeout: float = 10.0,
    **settings: Any,
) -> AsyncIterator[tuple[Callable[[], Awaitable[_Client]], Any]]:
    """Serve; yields what connects a client, and the worker."""
    loop = asyncio.get_running_loop()
    worker = _worker(loop, application or _Application(), settings)
    worker.header_timeout = header_timeout

    def make() -> Protocol:
        protocol = Protocol(worker, probes=probes)
        made(protocol)
        return protocol

    server = await loop.create_server(make, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clients: list[_Client] = []

    async def connect() -> _Client:
        client = _Client(*await asyncio.open_connection("127.0.0.1", port))
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


@pytest.fixture(params=["python", "fast"])
def parser(request: pytest.FixtureRequest) -> str:
    """gunicorn's two parsers."""
    if request.param == "fast" and find_spec("gunicorn_h1c") is None:
        pytest.fail("gunicorn's parser in C is missing: pip install -c requirements.lock '.[fast]'")
    return str(request.param)


def _run(test: Awaitable[None]) -> None:
    uvloop.run(asyncio.wait_for(test, 60))


def test_a_review_in_one_piece_takes_the_short_way_again_and_again(parser: str) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser) as (connect, _):
            client = await connect()
            for number in range(3):
                body = b'{"number":%d}' % number
                request = b"POST /authorize?timeout=30s HTTP/1.1\r\nHost: x\r\n"
                request += b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
                assert await client.ask(request) == b"short " + body

    _run(test())


_UNUSUAL = {
    "its body in two pieces": (_REQUEST[:-1], _REQUEST[-1:]),
    "another path": (_REQUEST.replace(b"/authorize", b"/metrics"),),
    "another method": (_REQUEST.replace(b"POST", b"PUT"),),
    "the end of the connection": (_REQUEST.replace(b"Host", b"Connection: close\r\nHost"),),
    "the protocol's first version": (_REQUEST.replace(b"/1.1", b"/1.0"),),
    "the first version, kept alive": (
        _REQUEST.replace(b"/1.1", b"/1.0").replace(b"Host", b"Connection: keep-alive\r\nHost"),
    ),
    "an upgrade": (_REQUEST.replace(b"Host", b"Upgrade: h2c\r\nConnection: upgrade\r\nHost"),),
}


@pytest.mark.parametrize("pieces", _UNUSUAL.values(), ids=_UNUSUAL)
def test_what_is_unusual_goes_the_long_way(pieces: tuple[bytes, ...], parser: str) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser) as (connect, _):
            assert await (await connect()).ask(*pieces) == b"long {}"

    _run(test())


def test_a_head_in_two_pieces_does_not_matter(parser: str) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser) as (connect, _):
            client = await connect()
            for cut in (3, 30, _REQUEST.index(b"{}") - 2, _REQUEST.index(b"{}")):
                got = await client.ask(_REQUEST[:cut], _REQUEST[cut:])
                assert got in {b"short {}", b"long {}"}

    _run(test())


def test_what_has_to_wait_goes_the_long_way(parser: str) -> None:
    async def test() -> None:
        async with _serving(application=_Application(knows=False), http_parser=parser) as (
            connect,
            _,
        ):
            assert await (await connect()).ask(_REQUEST) == b"long {}"

    _run(test())


def test_both_ways_take_turns_on_one_connection(parser: str) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser) as (connect, _):
            client = await connect()
            long = _REQUEST.replace(b"/authorize", b"/other")
            for _ in range(3):
                assert await client.ask(_REQUEST) == b"short {}"
                assert await client.ask(long) == b"long {}"

    _run(test())


def test_pipelined_requests_are_answered_in_their_order(parser: str) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser) as (connect, _):
            client = await connect()
            requests = [_REQUEST.replace(b"{}", b"%02d" % number) for number in range(20)]
            await client.send(b"".join(requests))
            bodies = [(await client.answer())[1] for _ in requests]
            assert [body.split()[1] for body in bodies] == [b"%02d" % n for n in range(20)]

    _run(test())


def test_the_answer_has_the_same_head_by_both_ways(parser: str) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser) as (connect, _):
            client = await connect()
            heads = []
            for request in (_REQUEST, _REQUEST, _REQUEST.replace(b"/authorize", b"/other")):
                await client.send(request)
                head, body = await client.answer()
                lines = head.replace(b"content-length: %d" % len(body), b"the length").split(
                    b"\r\n"
                )
                assert any(line.startswith(b"Date: ") for line in lines)
                heads.append(sorted(line for line in lines if not line.startswith(b"Date: ")))
            assert heads[0] == heads[1] == heads[2]
            assert b"HTTP/1.1 200 OK" in heads[0]

    _run(test())


def test_what_is_no_request_is_refused_as_ever(parser: str) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser) as (connect, _):
            for request in (
                b"POST /authorize HTTP/1.1\r\nHost: x\r\nContent-Length: two\r\n\r\n{}",
                _REQUEST.replace(b"Host: x", b"Host: x\r\nHost: y"),
                _REQUEST.replace(b"Host: x", b"Host: x\r\nContent-Length: 3"),
                _REQUEST.replace(b"Host: x", b"Host: x\r\nTransfer-Encoding: gzip"),
            ):
                client = await connect()
                await client.send(request)
                head, _ = await client.answer()
                assert head.split()[1][:1] in {b"4", b"5"}, head
                assert await client.is_closed(10)

    _run(test())


def test_a_worker_that_is_to_end_answers_by_the_long_way(parser: str) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser) as (connect, worker):
            client = await connect()
            assert await client.ask(_REQUEST) == b"short {}"
            worker.draining = True
            await client.send(_REQUEST)
            head, body = await client.answer()
            assert b"connection: close" in head
            assert body == b"long {}"

    _run(test())


def test_max_requests_counts_both_ways(parser: str) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser) as (connect, worker):
            worker.max_requests = 3
            client = await connect()
            assert await client.ask(_REQUEST) == b"short {}"
            assert await client.ask(_REQUEST) == b"short {}"
            assert worker.alive
            assert await client.ask(_REQUEST) == b"long {}"
            assert await client.is_closed(10)
            assert not worker.alive

    _run(test())


def test_an_access_log_has_every_request(parser: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"

    async def test() -> None:
        async with _serving(http_parser=parser, accesslog=str(log)) as (connect, _):
            client = await connect()
            assert await client.ask(_REQUEST) == b"long {}"
            assert await client.ask(_REQUEST) == b"long {}"

    _run(test())
    assert log.read_text().count("POST /authorize") == 2


def test_a_listener_for_probes_has_no_short_way(parser: str) -> None:
    async def test() -> None:
        async with _serving(probes=True, http_parser=parser) as (connect, _):
            assert await (await connect()).ask(_REQUEST) == b"long {}"

    _run(test())


def test_where_no_connection_is_kept_none_is(parser: str) -> None:
    async def test() -> None:
        async with _serving(keepalive=0, http_parser=parser) as (connect, _):
            client = await connect()
            assert await client.ask(_REQUEST) == b"long {}"
            assert await client.is_closed(10)

    _run(test())


def test_an_application_that_only_can_be_called_is_called(parser: str) -> None:
    class Wrapper:
        async def __call__(self, *arguments: Any) -> None:
            await _Application()(*arguments)

    async def test() -> None:
        async with _serving(application=Wrapper(), http_parser=parser) as (connect, _):
            assert await (await connect()).ask(_REQUEST) == b"long {}"

    _run(test())


def test_a_crash_of_the_short_way_is_logged_and_the_long_one_answers(parser: str) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser) as (connect, _):
            client = await connect()
            with capture_logs() as logged:
                assert await client.ask(_REQUEST.replace(b"{}", b"!!")) == b"long !!"
            assert [line["event"] for line in logged] == ["short_way_crashed"]
            assert await client.ask(_REQUEST) == b"short {}"

    _run(test())


def test_a_chunked_body_is_a_body(parser: str) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser) as (connect, _):
            client = await connect()
            head = b"POST /authorize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            assert await client.ask(head + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n") == b"short {}"
            assert await client.ask(head, b"2\r\n{}\r\n0\r\n\r\n") == b"long {}"

    _run(test())


def test_who_waits_to_be_told_to_go_on_is_told(parser: str) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser) as (connect, _):
            client = await connect()
            request = _REQUEST.replace(b"Host", b"Expect: 100-continue\r\nHost")
            assert await client.ask(request) == b"short {}"
            await client.send(request.removesuffix(b"{}"))
            assert await client.line() == b"HTTP/1.1 100 Continue\r\n"
            assert await client.line() == b"\r\n"
            assert await client.ask(b"{}") == b"long {}"

    _run(test())


def test_answers_that_nobody_reads_do_not_pile_up(parser: str) -> None:
    protocols: list[Protocol] = []

    async def test() -> None:
        application = _Application(size=20_000)
        async with _serving(protocols.append, application=application, http_parser=parser) as (
            connect,
            _,
        ):
            client = await connect()
            for _ in range(1000):  # 20 MB, of which the system's buffers hold some
                client.write(_REQUEST)
                await asyncio.sleep(0.001)
            left = protocols[0].transport.get_write_buffer_size()
            assert 0 < left < 64 * 1024 + 2 * 20_000

    _run(test())


def test_the_date_is_todays(parser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser) as (connect, _):
            client = await connect()
            await client.ask(_REQUEST)
            for module in ("authsvc.server.protocol", "gunicorn.asgi.protocol"):
                monkeypatch.setattr(
                    f"{module}._get_cached_date_header", lambda: b"Date: tomorrow\r\n"
                )
            await client.send(_REQUEST)
            head, _ = await client.answer()
            assert b"Date: tomorrow\r\n" in head

    _run(test())


def test_the_time_for_a_header_ends_with_the_first_one(parser: str) -> None:
    async def test() -> None:
        async with _serving(header_timeout=0.4, http_parser=parser) as (connect, _):
            used, silent = await connect(), await connect()
            for _ in range(4):
                assert await used.ask(_REQUEST) == b"short {}"
                await asyncio.sleep(0.2)
            assert await silent.is_closed(10)

    _run(test())


def test_a_worker_that_gunicorn_ends_answers_by_the_long_way(parser: str) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser) as (connect, worker):
            client = await connect()
            worker.alive = False
            assert await client.ask(_REQUEST) == b"long {}"
            assert await client.is_closed(10)

    _run(test())


@pytest.mark.parametrize("requests", [1, 3])
def test_a_connection_of_short_answers_alone_is_closed_once_it_is_silent(
    parser: str, requests: int
) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser, keepalive=1) as (connect, _):
            client = await connect()
            for _ in range(requests):
                assert await client.ask(_REQUEST) == b"short {}"
                assert not await client.is_closed(0.6)
            assert await client.is_closed(10)

    _run(test())


def test_a_connection_is_kept_while_it_is_used_and_closed_once_it_is_not(parser: str) -> None:
    async def test() -> None:
        async with _serving(http_parser=parser, keepalive=1) as (connect, _):
            client = await connect()
            for request in (_REQUEST, _REQUEST.replace(b"/authorize", b"/other"), *[_REQUEST] * 3):
                await client.ask(request)
                assert not await client.is_closed(0.6)
            assert await client.is_closed(10)

    _run(test())


def test_a_connection_that_ended_is_freed_without_a_collection() -> None:
    gc.disable()  # full collections are rare, and a policy's reload exempts what is alive
    try:
        left = uvloop.run(asyncio.wait_for(_made_and_lost(), 30))
    finally:
        gc.enable()
    assert left == 0


async def _made_and_lost() -> int:
    alive: weakref.WeakSet[Protocol] = weakref.WeakSet()
    async with _serving(alive.add) as (connect, worker):
        long = _REQUEST.replace(b"/authorize", b"/other")
        for request in (_REQUEST, long, long.replace(b"Host", b"Connection: close\r\nHost")):
            for _ in range(2):
                client = await connect()
                await client.ask(request)
                await client.close()
        half = await connect()
        await half.send(_REQUEST[:-1])
        await half.close()
        assert len(alive) > 0
        # gunicorn gives a task a moment after its client is gone.
        loop = asyncio.get_running_loop()
        deadline = loop.time() + worker.cfg.asgi_disconnect_grace_period + 10
        while alive and loop.time() < deadline:  # noqa: ASYNC110  nobody says when an object is freed
            await asyncio.sleep(0.1)
        return len(alive)
