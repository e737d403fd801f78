"""The ASGI application: bodies that come in pieces, late or never, and who is asked what."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from authsvc.webhook.asgi import PROBES_ONLY, Message, Receive, Scope, Send
from authsvc.webhook.reviews import (
    BEGINNING,
    MAX_DRAINED,
    MAX_OTHER_BODY,
    Answer,
    ClientCheck,
    Endpoint,
)
from tests.webhook.carriers import (
    Connection,
    DeniesTooLarge,
    RefusesTooLarge,
    application,
    part,
    scope,
)


class Prompt(RefusesTooLarge):
    """Answers at once with the body."""

    def handle_nowait(self, body: bytes) -> Answer | None:
        return Answer(200, body)

    def handle(self, body: bytes) -> Answer:
        raise AssertionError(f"it was answered already: {body!r}")

    def busy(self, body: bytes) -> Answer:
        raise AssertionError(f"nothing is busy: {body!r}")


class Slow(RefusesTooLarge):
    """Answers from a thread, once it may."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.asked = threading.Event()
        self.count = 0

    def handle_nowait(self, body: bytes) -> Answer | None:  # noqa: ARG002  the protocol's signature
        return None

    def handle(self, body: bytes) -> Answer:
        self.count += 1
        self.asked.set()
        assert self.may.wait(20)
        return Answer(200, body)

    def busy(self, body: bytes) -> Answer:
        raise AssertionError(f"nothing is busy: {body!r}")


class Denying(DeniesTooLarge, Prompt):
    """Answers at once, also what is too large."""


def endpoint(handler: Prompt | Slow | None = None, clients: ClientCheck | None = None) -> Endpoint:
    return Endpoint("test", handler or Prompt(), clients or ClientCheck(), 100)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Be an application that says what came to it."""
    message = await receive()
    body = json.dumps([scope["path"], message["body"].decode(), message["more_body"]]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def test_a_body_in_many_pieces_is_put_together() -> None:
    connection = Connection(part(b"a", more=True), part(b"", more=True), part(b"b"))
    asyncio.run(application(endpoint())(scope(), connection.receive, connection.send))
    assert connection.got.body == b"ab"


@pytest.mark.parametrize(
    ("required", "asked", "status"),
    [
        (True, scope(), 401),
        (False, scope(method="GET"), 405),
        (False, scope(extensions={PROBES_ONLY: {}}), 404),
        (False, scope("/other", query_string=b"\xff"), 400),
    ],
    ids=["no certificate", "method", "no probe", "query"],
)
def test_a_refused_request_is_not_read_and_its_connection_not_used_again(
    required: bool, asked: Scope, status: int
) -> None:
    async def receive() -> Message:
        raise AssertionError("the body was read")

    connection = Connection()
    reviews = application(endpoint(clients=ClientCheck(required=required)), fallback=echo)
    asyncio.run(reviews(asked, receive, connection.send))
    assert connection.got.status == status
    assert connection.got.headers["connection"] == "close"


class Endless:
    """A body without an end; remembers how much of it was taken."""

    def __init__(self) -> None:
        self.taken = 0

    async def receive(self) -> Message:
        self.taken += BEGINNING
        return part(b"x" * BEGINNING, more=True)


def test_an_endless_body_is_cut_off_at_the_limit() -> None:
    connection, body = Connection(), Endless()
    asyncio.run(application(endpoint())(scope(), body.receive, connection.send))
    assert (connection.got.status, body.taken) == (413, BEGINNING)
    assert connection.got.headers["connection"] == "close"


def test_a_body_over_the_limit_is_drained_for_an_answer_and_not_without_an_end() -> None:
    connection, body = Connection(), Endless()
    asyncio.run(application(endpoint(Denying()))(scope(), body.receive, connection.send))
    assert (connection.got.status, connection.got.body) == (200, b"xxxx")
    assert body.taken == MAX_DRAINED


def test_an_announced_body_is_answered_by_its_beginning() -> None:
    pieces = [part(b"abcd", more=True), part(b"x" * 200, more=True), part(b"end")]
    connection = Connection(*pieces)
    asked = scope(headers=[(b"content-length", b"207")])
    asyncio.run(application(endpoint(Denying()))(asked, connection.receive, connection.send))
    assert (connection.got.status, connection.got.body) == (200, b"abcd")


def test_an_announced_body_that_does_not_begin_is_refused_soon() -> None:
    connection = Connection(then_silent=True)
    asked = scope(headers=[(b"content-length", b"101")])
    asyncio.run(application(endpoint())(asked, connection.receive, connection.send))
    assert connection.got.status == 413


@pytest.mark.parametrize(
    ("body", "length"),
    [(b"now", b"0" * 5000 + b"3"), (b"", b"0"), (b"", b"00")],
    ids=["three", "none", "none twice"],
)
def test_a_length_may_begin_with_more_zeros_than_python_converts(
    body: bytes, length: bytes
) -> None:
    connection = Connection(part(body))
    asked = scope(headers=[(b"content-length", length)])
    asyncio.run(application(endpoint())(asked, connection.receive, connection.send))
    assert connection.got.status == 200


def test_a_body_that_does_not_come_is_given_up() -> None:
    connection = Connection(part(b"{", more=True), then_silent=True)
    reviews = application(endpoint(), body_timeout=0.01)
    asyncio.run(reviews(scope(), connection.receive, connection.send))
    assert connection.got.status == 408
    assert connection.got.headers["connection"] == "close"


def test_no_one_is_asked_for_a_client_that_left() -> None:
    slow = Slow()
    connection = Connection(part(b"{", more=True))
    asyncio.run(application(endpoint(slow))(scope(), connection.receive, connection.send))
    assert connection.sent[0]["status"] == 408
    assert slow.count == 0


def test_one_that_waits_for_a_back_end_holds_up_nobody() -> None:
    slow = Slow()

    async def both(pool: ThreadPoolExecutor) -> None:
        waiting, prompt = Connection(part(b"slow")), Connection(part(b"prompt"))
        task = asyncio.create_task(
            application(endpoint(slow), pool=pool)(scope(), waiting.receive, waiting.send)
        )
        await asyncio.to_thread(slow.asked.wait, 20)
        await application(endpoint())(scope(), prompt.receive, prompt.send)
        assert prompt.got.body == b"prompt"
        assert waiting.sent == []
        slow.may.set()
        await task
        assert waiting.got.body == b"slow"

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(both(pool))


def test_what_waits_for_a_thread_and_is_given_up_is_never_asked() -> None:
    slow = Slow()

    async def run(pool: ThreadPoolExecutor) -> None:
        reviews = application(endpoint(slow), pool=pool)
        first, second = Connection(part(b"1")), Connection(part(b"2"))
        running = asyncio.create_task(reviews(scope(), first.receive, first.send))
        await asyncio.to_thread(slow.asked.wait, 20)
        queued = asyncio.create_task(reviews(scope(), second.receive, second.send))
        await asyncio.sleep(0)
        queued.cancel()
        with pytest.raises(asyncio.CancelledError):
            await queued
        slow.may.set()
        await running
        assert first.got.status == 200

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(run(pool))
    assert slow.count == 1


def test_what_is_no_review_goes_on_once_its_body_is_there() -> None:
    connection = Connection(part(b"a", more=True), part(b"b"))
    reviews = application(endpoint(), fallback=echo)
    asyncio.run(reviews(scope("/other"), connection.receive, connection.send))
    assert json.loads(connection.got.body) == ["/other", "ab", False]


@pytest.mark.parametrize("path", ["/other", "/livez"])
def test_a_half_sent_body_never_takes_a_thread_of_flasks(path: str) -> None:
    connection = Connection(part(b"a", more=True), then_silent=True)
    reviews = application(endpoint(), body_timeout=0.01, probes={"/livez": echo}, fallback=echo)
    asyncio.run(reviews(scope(path), connection.receive, connection.send))
    assert connection.got.status == 408


def test_a_body_too_large_for_what_is_no_review_is_refused() -> None:
    connection = Connection(part(b"x" * (MAX_OTHER_BODY + 1)))
    reviews = application(endpoint(), fallback=echo)
    asyncio.run(reviews(scope("/other"), connection.receive, connection.send))
    assert connection.got.status == 413


@pytest.mark.parametrize(
    ("path", "status"), [("/livez", 200), ("/review", 404), ("/oauth2/token", 404)]
)
def test_the_listener_for_probes_answers_probes_alone(path: str, status: int) -> None:
    # Without TLS on the main listener reviews need no certificate: this must not be the way in.
    connection = Connection(part(b""))
    reviews = application(endpoint(), probes={"/livez": echo}, fallback=echo)
    probe = scope(path, extensions={PROBES_ONLY: {}})
    asyncio.run(reviews(probe, connection.receive, connection.send))
    assert connection.got.status == status


@pytest.mark.parametrize(
    "extensions", [None, {}, {"tls": {}}, {"tls": {"client_cert_names": None}}]
)
def test_a_server_that_says_nothing_of_certificates_means_none(extensions: object) -> None:
    connection = Connection(part(b""))
    reviews = application(endpoint(clients=ClientCheck(required=True)))
    asyncio.run(reviews(scope(extensions=extensions), connection.receive, connection.send))
    assert connection.got.status == 401
