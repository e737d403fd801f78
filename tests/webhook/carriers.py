"""Both ways that bring a request to an endpoint, asked in the same words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

from werkzeug.test import Client

from authsvc.webhook.asgi import (
    ASGIApplication,
    Message,
    ReviewsApplication,
    Scope,
    encoded_headers,
)
from authsvc.webhook.reviews import Answer, Endpoint, too_large
from authsvc.webhook.wsgi import Environ, ReviewsWSGI, StartResponse


class Got(NamedTuple):
    """An answer as it went out; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Carrier(Protocol):
    """Asks an endpoint; ``names``: those of the client's certificate, None for no certificate."""

    def __call__(
        self,
        endpoint: Endpoint,
        body: bytes = b"{}",
        method: str = "POST",
        names: Iterable[str] | None = None,
        length: int | None = None,
    ) -> Got: ...


class RefusesTooLarge:
    """Part of a handler: bodies over the limit are refused, and not read to their end."""

    def too_large(self, _beginning: bytes, limit: int) -> Answer:
        return too_large(limit)


class DeniesTooLarge:
    """Part of a handler: bodies over the limit are answered by their beginning."""

    def too_large(self, beginning: bytes, _limit: int) -> Answer:
        return Answer(200, beginning[:4])


class Connection:
    """One ASGI request: what comes in, and what went out."""

    def __init__(self, *messages: Message, then_silent: bool = False) -> None:
        self.sent: list[Message] = []
        self._messages = list(messages)
        self._then_silent = then_silent

    async def receive(self) -> Message:
        if self._messages:
            return self._messages.pop(0)
        if self._then_silent:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def got(self) -> Got:
        """The answer."""
        start, *rest = self.sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Got(start["status"], headers, b"".join(each.get("body", b"") for each in rest))


def part(body: bytes, *, more: bool = False) -> Message:
    """Return a piece of a body."""
    return {"type": "http.request", "body": body, "more_body": more}


def scope(path: str = "/review", method: str = "POST", **more: Any) -> Scope:
    """Return a request's scope."""
    return {
        "type": "http",
        "http_version": "1.1",
        "path": path,
        "query_string": b"timeout=30s",
        "method": method,
        "headers": [],
        **more,
    }


async def unexpected(_scope: Scope, _receive: object, _send: object) -> None:
    """Be the application nobody should get to."""
    raise AssertionError("not meant for Flask")


def application(
    endpoint: Endpoint,
    *,
    body_timeout: float = 5.0,
    probes: Mapping[str, ASGIApplication] | None = None,
    fallback: ASGIApplication = unexpected,
    pool: ThreadPoolExecutor | None = None,
) -> ReviewsApplication:
    """Return the ASGI application with one endpoint."""

    def executor() -> ThreadPoolExecutor:
        assert pool is not None, "nothing here should need a thread"
        return pool

    return ReviewsApplication({"/review": endpoint}, probes or {}, fallback, executor, body_timeout)


def by_asgi(
    endpoint: Endpoint,
    body: bytes = b"{}",
    method: str = "POST",
    names: Iterable[str] | None = None,
    length: int | None = None,
) -> Got:
    """Ask by ASGI, the body in two pieces."""
    middle = len(body) // 2
    connection = Connection(part(body[:middle], more=True), part(body[middle:]))
    tls = {"client_cert_names": None if names is None else frozenset(names)}
    headers = [] if length is None else [(b"content-length", b"%d" % length)]
    with ThreadPoolExecutor(1) as pool:
        asyncio.run(
            application(endpoint, pool=pool)(
                scope(method=method, headers=headers, extensions={"tls": tls}),
                connection.receive,
                connection.send,
            )
        )
    return connection.got


def at_once(
    endpoint: Endpoint,
    body: bytes = b"{}",
    method: str = "POST",
    names: Iterable[str] | None = None,
    length: int | None = None,
) -> Got:
    """Ask as a server does that can do without the call of ASGI, and call where it can not."""
    known = None if names is None else frozenset(names)
    answer = application(endpoint).answer_now("/review", method, known, body)
    if answer is None:
        return by_asgi(endpoint, body, method, names, length)
    headers = {name.decode(): value.decode() for name, value in encoded_headers(answer.status)}
    headers["content-length"] = str(len(answer.body))  # by the server
    return Got(answer.status, headers, answer.body)


class TLSSocket:
    """As much of gunicorn's socket as says who the client is."""

    def __init__(self, names: Iterable[str] | None) -> None:
        self._names = names

    def getpeercert(self) -> dict[str, Any] | None:
        if self._names is None:
            return None
        return {"subject": tuple((("commonName", name),) for name in self._names)}


def _unexpected_wsgi(_environ: Environ, _start_response: StartResponse) -> Iterable[bytes]:
    raise AssertionError("not meant for Flask")


def by_wsgi(
    endpoint: Endpoint,
    body: bytes = b"{}",
    method: str = "POST",
    names: Iterable[str] | None = None,
    length: int | None = None,
) -> Got:
    """Ask by WSGI."""
    client = Client(ReviewsWSGI({"/review": endpoint}, _unexpected_wsgi, waiting=1))
    environ: dict[str, Any] = {"gunicorn.socket": TLSSocket(names)}
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
    answer = client.open("/review?timeout=30s", method=method, data=body, environ_overrides=environ)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Got(answer.status_code, headers, answer.data)


CARRIERS: dict[str, Callable[..., Got]] = {"asgi": by_asgi, "at once": at_once, "wsgi": by_wsgi}
