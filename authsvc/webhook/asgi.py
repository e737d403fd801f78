"""The fast way for reviews: an ASGI callable without a framework's per-request machinery.

What waits for nothing is answered on the event loop; what may wait for a back
end goes to a pool of threads, so that a slow directory never holds up a
SubjectAccessReview. Everything that is no review goes on to Flask, once its
body is there: a thread never waits for a client.

The client's certificate comes in the ``tls`` extension of the ASGI
specification; ``client_cert_names`` is what `authsvc.server` adds to it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import cache
from typing import Any

from authsvc.webhook.reviews import (
    BEGINNING,
    MAX_DRAINED,
    MAX_OTHER_BODY,
    Answer,
    Endpoint,
    failure,
    headers_of,
    too_large,
)

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Excess = Callable[[bytes], Answer]
"""Answers a body over the limit, by its beginning."""

ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

# A body that was announced too large begins to come in this time, or is refused unseen.
_BEGINNING_SECONDS = 0.5

# The extension of a scope that came through a listener for probes alone.
PROBES_ONLY = "authsvc.probes_only"


class ReviewsApplication:
    """Carries reviews to their ``endpoints``, ``probes`` and all else to Flask.

    ``probes`` have a carrier of their own, so that nothing that waits for a
    back end can hold up a kubelet. ``body_timeout``: seconds within which a
    whole body must have come.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        probes: Mapping[str, ASGIApplication],
        fallback: ASGIApplication,
        pool: Callable[[], Executor],
        body_timeout: float,
    ) -> None:
        self._endpoints = dict(endpoints)
        self._probes = dict(probes)
        self._fallback = fallback
        self._pool = pool
        self._body_timeout = body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        probe = self._probes.get(path)
        if probe is not None:
            await self._carry(probe, scope, receive, send)
        elif PROBES_ONLY in (scope.get("extensions") or {}):
            await _send(send, failure(404, "no such path"), close=True)
        elif path in self._endpoints:
            await self._review(self._endpoints[path], scope, receive, send)
        else:
            await self._carry(self._fallback, scope, receive, send)

    def answer_now(
        self, path: str, method: str, names: frozenset[str] | None, body: bytes
    ) -> Answer | None:
        """Answer a review that was read whole and waits for nothing; None: it is for the call.

        For a server that can do without the call: ``names`` as in `client_names`.
        """
        endpoint = self._endpoints.get(path)
        if (
            endpoint is None
            or len(body) > endpoint.max_body
            or endpoint.refusal(method, names) is not None
        ):
            return None
        answer = endpoint.handle_nowait(body)
        return None if answer is None else endpoint.count(answer)

    async def _review(self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send) -> None:
        refused = endpoint.refusal(scope["method"], client_names(scope))
        if refused is not None:
            # The body is unread, so the connection can not be used again.
            await _send(send, endpoint.count(refused), close=True)
            return
        length = _content_length(scope) or 0
        body = await self._read(receive, endpoint.max_body, endpoint.too_large, length)
        if isinstance(body, Answer):
            await _send(send, endpoint.count(body), close=True)
            return
        answer = endpoint.handle_nowait(body)
        if answer is None:
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._pool(), endpoint.handle, body)
        await _send(send, endpoint.count(answer))

    async def _carry(
        self, application: ASGIApplication, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if not scope["query_string"].isascii():  # WSGI has no way to say it
            await _send(send, failure(400, "the query is not ASCII"), close=True)
            return
        body = await self._read(receive, MAX_OTHER_BODY, lambda _: too_large(MAX_OTHER_BODY))
        if isinstance(body, Answer):
            await _send(send, body, close=True)
            return
        messages = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def replay() -> Message:
            return next(messages, None) or await receive()

        await application(scope, replay, send)

    async def _read(
        self, receive: Receive, limit: int, excess: Excess, announced: int = 0
    ) -> bytes | Answer:
        """Return the body, or the answer to one that is too large or does not come."""
        if announced > limit:
            return await self._exceeding(b"", receive, excess, more=True)
        # The whole body is there at the first look, as a rule, and a timer would
        # cost more than the decision; this wait is bounded by the server.
        message = await receive()
        body: bytes = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body", False):
            if len(body) <= limit:
                return body
            return await self._exceeding(body, receive, excess, more=False)
        chunks = []
        size = 0
        try:
            async with asyncio.timeout(self._body_timeout):
                while message["type"] == "http.request":
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    more = message.get("more_body", False)
                    if size > limit:
                        return await self._exceeding(b"".join(chunks), receive, excess, more=more)
                    if not more:
                        return b"".join(chunks)
                    message = await receive()
        except TimeoutError:
            pass
        return _NOT_WHOLE

    async def _exceeding(
        self, beginning: bytes, receive: Receive, excess: Excess, *, more: bool
    ) -> Answer:
        """Answer a body over the limit, of which that much was read; drain it for who waits."""
        size = len(beginning)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BEGINNING_SECONDS):
                while more and size < BEGINNING:
                    chunk, more = _piece(await receive())
                    beginning += chunk
                    size += len(chunk)
        answer = excess(beginning[:BEGINNING])
        if answer.status == 200:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._body_timeout):
                    while more and size < MAX_DRAINED:
                        chunk, more = _piece(await receive())
                        size += len(chunk)
        return answer


# A client that went away does not read it.
_NOT_WHOLE = failure(408, "the body did not come whole, or not in time")


def _piece(message: Message) -> tuple[bytes, bool]:
    """Return a piece of a body, and whether there is more; a client that went sends no more."""
    return message.get("body", b""), message.get("more_body", False)


def client_names(scope: Scope) -> frozenset[str] | None:
    """Return the names of the client's verified certificate, None where it has none."""
    tls = (scope.get("extensions") or {}).get("tls")
    if tls is None:
        return None
    names: frozenset[str] | None = tls.get("client_cert_names")
    return names


def _content_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            # The server has checked that it is a number (RFC 9112 6.3), but it may
            # begin with more zeros than Python converts.
            return int(value.lstrip(b"0") or 0)
    return None


async def _send(send: Send, answer: Answer, *, close: bool = False) -> None:
    length = (b"content-length", b"%d" % len(answer.body))
    headers = [*encoded_headers(answer.status), length]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


@cache
def encoded_headers(status: int) -> Sequence[tuple[bytes, bytes]]:
    """Return the headers of an answer with that status, but for those of its framing."""
    return [(name.encode(), value.encode()) for name, value in headers_of(status)]
