"""The fast way for reviews: an ASGI callable without a framework's per-request machinery.

What waits for nothing is answered on the event loop; what may wait for a back
end goes to a pool of threads, so that a slow directory never holds up a
SubjectAccessReview. Everything that is no review goes on to the Flask
application.

The client's certificate comes in the ``tls`` extension of the ASGI
specification; ``client_cert_names`` is what `authsvc.server` adds to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from typing import Any

from authsvc.webhook.reviews import Answer, Endpoint, failure

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

_JSON = (b"content-type", b"application/json")
_NOSNIFF = (b"x-content-type-options", b"nosniff")


class ReviewsApplication:
    """Carries reviews to their endpoints and everything else to ``fallback``.

    ``body_timeout``: seconds within which a whole body must have come.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        fallback: ASGIApplication,
        pool: Callable[[], Executor],
        body_timeout: float,
    ) -> None:
        self._endpoints = dict(endpoints)
        self._fallback = fallback
        self._pool = pool
        self._body_timeout = body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._endpoints.get(scope["path"])
        if endpoint is None:
            await self._fallback(scope, receive, send)
            return
        refused = endpoint.refusal(scope["method"], client_names(scope), _content_length(scope))
        if refused is not None:
            # The body is unread, so the connection can not be used again.
            await _send(send, endpoint.count(refused), close=True)
            return
        body = await self._read(receive, endpoint)
        if body is None:
            return
        if isinstance(body, Answer):
            await _send(send, endpoint.count(body), close=True)
            return
        answer = endpoint.handler.prompt(body)
        if answer is None:
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._pool(), endpoint.handler.handle, body)
        await _send(send, endpoint.count(answer))

    async def _read(self, receive: Receive, endpoint: Endpoint) -> bytes | Answer | None:
        """Return the body, the answer to one too large or too slow, or None: the client is gone."""
        try:
            async with asyncio.timeout(self._body_timeout):
                return await _read_body(receive, endpoint)
        except TimeoutError:
            return failure(408, f"the body did not come within {self._body_timeout:g} seconds")


async def _read_body(receive: Receive, endpoint: Endpoint) -> bytes | Answer | None:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > endpoint.max_body:
            return endpoint.too_large()
        if not message.get("more_body", False):
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)


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
            # The server has checked that it is a number (RFC 9112 6.3).
            return int(value)
    return None


async def _send(send: Send, answer: Answer, *, close: bool = False) -> None:
    status, body = answer
    headers = [_JSON, _NOSNIFF, (b"content-length", b"%d" % len(body))]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
