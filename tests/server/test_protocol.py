"""A connection of gunicorn's worker: the short way of a review, and how it is let go."""

from __future__ import annotations

import asyncio
import gc
import weakref
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from authsvc.server.protocol import Protocol
from tests.server.gunicorn_connections import REQUEST, Waypoint, run, serving


@pytest.fixture(params=["python", "fast"])
def parser(request: pytest.FixtureRequest) -> str:
    """gunicorn's two parsers."""
    if request.param == "fast" and find_spec("gunicorn_h1c") is None:
        pytest.fail("gunicorn's parser in C is missing: pip install -c requirements.lock '.[fast]'")
    return str(request.param)


def test_a_review_in_one_piece_takes_the_short_way_again_and_again(parser: str) -> None:
    async def test() -> None:
        async with serving(http_parser=parser) as (connect, _):
            client = await connect()
            for number in range(3):
                body = b'{"number":%d}' % number
                request = b"POST /authorize?timeout=30s HTTP/1.1\r\nHost: x\r\n"
                request += b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
                assert await client.ask(request) == b"short " + body

    run(test())


_UNUSUAL = {
    "its body in two pieces": (REQUEST[:-1], REQUEST[-1:]),
    "another path": (REQUEST.replace(b"/authorize", b"/metrics"),),
    "another method": (REQUEST.replace(b"POST", b"PUT"),),
    "the end of the connection": (REQUEST.replace(b"Host", b"Connection: close\r\nHost"),),
    "the protocol's first version": (REQUEST.replace(b"/1.1", b"/1.0"),),
    "the first version, kept alive": (
        REQUEST.replace(b"/1.1", b"/1.0").replace(b"Host", b"Connection: keep-alive\r\nHost"),
    ),
    "an upgrade": (REQUEST.replace(b"Host", b"Upgrade: h2c\r\nConnection: upgrade\r\nHost"),),
}


@pytest.mark.parametrize("pieces", _UNUSUAL.values(), ids=_UNUSUAL)
def test_what_is_unusual_goes_the_long_way(pieces: tuple[bytes, ...], parser: str) -> None:
    async def test() -> None:
        async with serving(http_parser=parser) as (connect, _):
            assert await (await connect()).ask(*pieces) == b"long {}"

    run(test())


def test_a_head_in_two_pieces_does_not_matter(parser: str) -> None:
    async def test() -> None:
        async with serving(http_parser=parser) as (connect, _):
            client = await connect()
            for cut in (3, 30, REQUEST.index(b"{}") - 2, REQUEST.index(b"{}")):
                got = await client.ask(REQUEST[:cut], REQUEST[cut:])
                assert got in {b"short {}", b"long {}"}

    run(test())


def test_what_has_to_wait_goes_the_long_way(parser: str) -> None:
    async def test() -> None:
        async with serving(application=Waypoint(knows=False), http_parser=parser) as (
            connect,
            _,
        ):
            assert await (await connect()).ask(REQUEST) == b"long {}"

    run(test())


def test_both_ways_take_turns_on_one_connection(parser: str) -> None:
    async def test() -> None:
        async with serving(http_parser=parser) as (connect, _):
            client = await connect()
            long = REQUEST.replace(b"/authorize", b"/other")
            for _ in range(3):
                assert await client.ask(REQUEST) == b"short {}"
                assert await client.ask(long) == b"long {}"

    run(test())


def test_pipelined_requests_are_answered_in_their_order(parser: str) -> None:
    async def test() -> None:
        async with serving(http_parser=parser) as (connect, _):
            client = await connect()
            requests = [REQUEST.replace(b"{}", b"%02d" % number) for number in range(20)]
            await client.send(b"".join(requests))
            bodies = [(await client.answer())[1] for _ in requests]
            assert [body.split()[1] for body in bodies] == [b"%02d" % n for n in range(20)]

    run(test())


def test_the_answer_has_the_same_head_by_both_ways(parser: str) -> None:
    async def test() -> None:
        async with serving(http_parser=parser) as (connect, _):
            client = await connect()
            heads = []
            for request in (REQUEST, REQUEST, REQUEST.replace(b"/authorize", b"/other")):
                await client.send(request)
                head, body = await client.answer()
                lines = head.replace(b"content-length: %d" % len(body), b"the length").split(
                    b"\r\n"
                )
                assert any(line.startswith(b"Date: ") for line in lines)
                heads.append(sorted(line for line in lines if not line.startswith(b"Date: ")))
            assert heads[0] == heads[1] == heads[2]
            assert b"HTTP/1.1 200 OK" in heads[0]

    run(test())


def test_what_is_no_request_is_refused_as_ever(parser: str) -> None:
    async def test() -> None:
        async with serving(http_parser=parser) as (connect, _):
            for request in (
                b"POST /authorize HTTP/1.1\r\nHost: x\r\nContent-Length: two\r\n\r\n{}",
                REQUEST.replace(b"Host: x", b"Host: x\r\nHost: y"),
                REQUEST.replace(b"Host: x", b"Host: x\r\nContent-Length: 3"),
                REQUEST.replace(b"Host: x", b"Host: x\r\nTransfer-Encoding: gzip"),
            ):
                client = await connect()
                await client.send(request)
                head, _ = await client.answer()
                assert head.split()[1][:1] in {b"4", b"5"}, head
                assert await client.is_closed(10)

    run(test())


def test_a_worker_that_is_to_end_answers_by_the_long_way(parser: str) -> None:
    async def test() -> None:
        async with serving(http_parser=parser) as (connect, worker):
            client = await connect()
            assert await client.ask(REQUEST) == b"short {}"
            worker.draining = True
            await client.send(REQUEST)
            head, body = await client.answer()
            assert b"connection: close" in head
            assert body == b"long {}"

    run(test())


def test_max_requests_counts_both_ways(parser: str) -> None:
    async def test() -> None:
        async with serving(http_parser=parser) as (connect, worker):
            worker.max_requests = 3
            client = await connect()
            assert await client.ask(REQUEST) == b"short {}"
            assert await client.ask(REQUEST) == b"short {}"
            assert worker.alive
            assert await client.ask(REQUEST) == b"long {}"
            assert await client.is_closed(10)
            assert not worker.alive

    run(test())


def test_an_access_log_has_every_request(parser: str, tmp_path: Path) -> None:
    log = tmp_path / "access.log"

    async def test() -> None:
        async with serving(http_parser=parser, accesslog=str(log)) as (connect, _):
            client = await connect()
            assert await client.ask(REQUEST) == b"long {}"
            assert await client.ask(REQUEST) == b"long {}"

    run(test())
    assert log.read_text().count("POST /authorize") == 2


def test_a_listener_for_probes_has_no_short_way(parser: str) -> None:
    async def test() -> None:
        async with serving(probes=True, http_parser=parser) as (connect, _):
            assert await (await connect()).ask(REQUEST) == b"long {}"

    run(test())


def test_where_no_connection_is_kept_none_is(parser: str) -> None:
    async def test() -> None:
        async with serving(keepalive=0, http_parser=parser) as (connect, _):
            client = await connect()
            assert await client.ask(REQUEST) == b"long {}"
            assert await client.is_closed(10)

    run(test())


def test_an_application_that_only_can_be_called_is_called(parser: str) -> None:
    class Wrapper:
        async def __call__(self, *arguments: Any) -> None:
            await Waypoint()(*arguments)

    async def test() -> None:
        async with serving(application=Wrapper(), http_parser=parser) as (connect, _):
            assert await (await connect()).ask(REQUEST) == b"long {}"

    run(test())


def test_a_crash_of_the_short_way_is_logged_and_the_long_one_answers(parser: str) -> None:
    async def test() -> None:
        async with serving(http_parser=parser) as (connect, _):
            client = await connect()
            with capture_logs() as logged:
                assert await client.ask(REQUEST.replace(b"{}", b"!!")) == b"long !!"
            assert [line["event"] for line in logged] == ["short_way_crashed"]
            assert await client.ask(REQUEST) == b"short {}"

    run(test())


def test_a_chunked_body_is_a_body(parser: str) -> None:
    async def test() -> None:
        async with serving(http_parser=parser) as (connect, _):
            client = await connect()
            head = b"POST /authorize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            assert await client.ask(head + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n") == b"short {}"
            assert await client.ask(head, b"2\r\n{}\r\n0\r\n\r\n") == b"long {}"

    run(test())


def test_who_waits_to_be_told_to_go_on_is_told(parser: str) -> None:
    async def test() -> None:
        async with serving(http_parser=parser) as (connect, _):
            client = await connect()
            request = REQUEST.replace(b"Host", b"Expect: 100-continue\r\nHost")
            assert await client.ask(request) == b"short {}"
            await client.send(request.removesuffix(b"{}"))
            assert await client.line() == b"HTTP/1.1 100 Continue\r\n"
            assert await client.line() == b"\r\n"
            assert await client.ask(b"{}") == b"long {}"

    run(test())


def test_answers_that_nobody_reads_do_not_pile_up(parser: str) -> None:
    protocols: list[Protocol] = []

    async def test() -> None:
        application = Waypoint(size=20_000)
        async with serving(protocols.append, application=application, http_parser=parser) as (
            connect,
            _,
        ):
            client = await connect()
            for _ in range(1000):  # 20 MB, of which the system's buffers hold some
                client.write(REQUEST)
                await asyncio.sleep(0.001)
            left = protocols[0].transport.get_write_buffer_size()
            assert 0 < left < 64 * 1024 + 2 * 20_000

    run(test())


def test_the_date_is_todays(parser: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with serving(http_parser=parser) as (connect, _):
            client = await connect()
            await client.ask(REQUEST)
            for module in ("authsvc.server.protocol", "gunicorn.asgi.protocol"):
                monkeypatch.setattr(
                    f"{module}._get_cached_date_header", lambda: b"Date: tomorrow\r\n"
                )
            await client.send(REQUEST)
            head, _ = await client.answer()
            assert b"Date: tomorrow\r\n" in head

    run(test())


def test_the_time_for_a_header_ends_with_the_first_one(parser: str) -> None:
    async def test() -> None:
        async with serving(header_timeout=0.4, http_parser=parser) as (connect, _):
            used, silent = await connect(), await connect()
            for _ in range(4):
                assert await used.ask(REQUEST) == b"short {}"
                await asyncio.sleep(0.2)
            assert await silent.is_closed(10)

    run(test())


def test_a_worker_that_gunicorn_ends_answers_by_the_long_way(parser: str) -> None:
    async def test() -> None:
        async with serving(http_parser=parser) as (connect, worker):
            client = await connect()
            worker.alive = False
            assert await client.ask(REQUEST) == b"long {}"
            assert await client.is_closed(10)

    run(test())


@pytest.mark.parametrize("requests", [1, 3])
def test_a_connection_of_short_answers_alone_is_closed_once_it_is_silent(
    parser: str, requests: int
) -> None:
    async def test() -> None:
        async with serving(http_parser=parser, keepalive=1) as (connect, _):
            client = await connect()
            for _ in range(requests):
                assert await client.ask(REQUEST) == b"short {}"
                assert not await client.is_closed(0.6)
            assert await client.is_closed(10)

    run(test())


def test_a_connection_is_kept_while_it_is_used_and_closed_once_it_is_not(parser: str) -> None:
    async def test() -> None:
        async with serving(http_parser=parser, keepalive=1) as (connect, _):
            client = await connect()
            for request in (REQUEST, REQUEST.replace(b"/authorize", b"/other"), *[REQUEST] * 3):
                await client.ask(request)
                assert not await client.is_closed(0.6)
            assert await client.is_closed(10)

    run(test())


def test_a_connection_that_ended_is_freed_without_a_collection() -> None:
    gc.disable()  # full collections are rare, and a policy's reload exempts what is alive
    try:
        left = run(_made_and_lost())
    finally:
        gc.enable()
    assert left == 0


async def _made_and_lost() -> int:
    alive: weakref.WeakSet[Protocol] = weakref.WeakSet()
    async with serving(alive.add) as (connect, worker):
        long = REQUEST.replace(b"/authorize", b"/other")
        for request in (REQUEST, long, long.replace(b"Host", b"Connection: close\r\nHost")):
            for _ in range(2):
                client = await connect()
                await client.ask(request)
                await client.close()
        half = await connect()
        await half.send(REQUEST[:-1])
        await half.close()
        assert len(alive) > 0
        # gunicorn gives a task a moment after its client is gone.
        loop = asyncio.get_running_loop()
        deadline = loop.time() + worker.cfg.asgi_disconnect_grace_period + 10
        while alive and loop.time() < deadline:  # noqa: ASYNC110  nobody says when an object is freed
            await asyncio.sleep(0.1)
        return len(alive)
