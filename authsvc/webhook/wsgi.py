"""Reviews under a WSGI server: the same endpoints, in front of Flask.

A WSGI server gives each request a thread, so one that waits for a back end
keeps its thread. No more than a number of them may, and the server has more
threads than that: a slow directory never holds up a SubjectAccessReview.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http import HTTPStatus
from io import BytesIO
from typing import Any

from authsvc.webhook.clientcert import names_of
from authsvc.webhook.reviews import (
    BEGINNING,
    BUSY,
    MAX_DRAINED,
    MAX_OTHER_BODY,
    Answer,
    Endpoint,
    failure,
    headers_of,
    too_large,
)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

# Set by servers that admit only verified clients but cannot report the names in
# their certificates.
CLIENT_IS_VERIFIED = "authsvc.client_is_verified"

# A callback that a server may set, called before a request waits: for a back end,
# or for anything else but the processor.
BEFORE_WAITING = "authsvc.before_waiting"

_NOT_WHOLE = failure(408, "the body did not come whole")


class ReviewsWSGI:
    """Carries reviews to their ``endpoints`` and all else to Flask, the ``fallback``.

    ``waiting``: how many may wait for a back end at a time. ``nowait_paths``
    are those of the fallback that never do.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        fallback: WSGIApplication,
        *,
        waiting: int,
        nowait_paths: Collection[str] = (),
    ) -> None:
        self._endpoints = dict(endpoints)
        self._fallback = fallback
        self._waiting = threading.BoundedSemaphore(waiting)
        self._nowait_paths = frozenset(nowait_paths)

    def answer(self, environ: Environ) -> Answer | None:
        """Answer a review; None: the path is not one's, and the request for the call below."""
        endpoint = self._endpoints.get(environ["PATH_INFO"])
        return None if endpoint is None else endpoint.count(self._review(endpoint, environ))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        answer = self.answer(environ)
        if answer is not None:
            return send(start_response, answer)
        if environ["PATH_INFO"] in self._nowait_paths:
            return self._fallback(environ, start_response)
        body = _read(environ, MAX_OTHER_BODY, lambda _: too_large(MAX_OTHER_BODY))
        if isinstance(body, Answer):
            return send(start_response, body)
        environ |= {"wsgi.input": BytesIO(body), "wsgi.input_terminated": True}
        with self._wait(environ) as may:
            return self._fallback(environ, start_response) if may else send(start_response, BUSY)

    def _review(self, endpoint: Endpoint, environ: Environ) -> Answer:
        refused = endpoint.refusal(environ["REQUEST_METHOD"], client_names(environ))
        if refused is not None:
            return refused
        body = _read(environ, endpoint.max_body, endpoint.too_large)
        if isinstance(body, Answer):
            return body
        answer = endpoint.handle_nowait(body)
        if answer is not None:
            return answer
        with self._wait(environ) as may:
            return endpoint.handle(body) if may else endpoint.busy(body)

    @contextmanager
    def _wait(self, environ: Environ) -> Iterator[bool]:
        """Wait for a back end, unless too many do already."""
        if not self._waiting.acquire(blocking=False):
            yield False
            return
        try:
            environ.get(BEFORE_WAITING, _nobody)()
            yield True
        finally:
            self._waiting.release()


def _nobody() -> None:
    """Hear that a request will wait."""


def client_names(environ: Environ) -> frozenset[str] | None:
    """Return the names of the client's verified certificate, None where it has none.

    The server says them: gunicorn's threaded worker by the socket itself.
    """
    if environ.get(CLIENT_IS_VERIFIED) is True:  # a header can not: its key begins with HTTP_
        return frozenset()
    socket = environ.get("gunicorn.socket")
    if socket is None or not hasattr(socket, "getpeercert"):
        return None
    return names_of(socket.getpeercert())


def _content_length(environ: Environ) -> int | None:
    length: str = environ.get("CONTENT_LENGTH", "")
    if not (length.isascii() and length.isdigit()):
        return None
    return int(length.lstrip("0") or 0)  # of thousands of digits Python converts none


def _read(environ: Environ, limit: int, excess: Callable[[bytes], Answer]) -> bytes | Answer:
    """Return the body, or the answer to one that is too large or does not come."""
    stream = environ["wsgi.input"]
    length = _content_length(environ)
    if length is not None:
        if length > limit:
            return _exceeding(stream, stream.read(BEGINNING), length, excess)
        body: bytes = stream.read(length)
        return body if len(body) == length else _NOT_WHOLE
    if not environ.get("wsgi.input_terminated"):
        return b""  # PEP 3333: without a length there is nothing that may be read
    chunks = bytearray()
    while chunk := stream.read(limit + 1 - len(chunks)):
        chunks += chunk
        if len(chunks) > limit:
            return _exceeding(stream, bytes(chunks), MAX_DRAINED, excess)
    return bytes(chunks)


def _exceeding(
    stream: Any, beginning: bytes, length: int, excess: Callable[[bytes], Answer]
) -> Answer:
    """Answer a body over the limit, of which that much was read; drain it for who waits."""
    answer = excess(beginning[:BEGINNING])
    if answer.status == 200:
        left = min(length, MAX_DRAINED) - len(beginning)
        while left > 0 and (chunk := stream.read(min(left, BEGINNING))):
            left -= len(chunk)
    return answer


def send(start_response: StartResponse, answer: Answer) -> Iterable[bytes]:
    """Return an answer to the server."""
    status, headers = _beginning(answer.status)
    start_response(status, [*headers, ("content-length", str(len(answer.body)))])
    return [answer.body]


@cache
def _beginning(status: int) -> tuple[str, tuple[tuple[str, str], ...]]:
    return f"{status} {HTTPStatus(status).phrase}", tuple(headers_of(status))
