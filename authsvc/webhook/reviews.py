"""The checks before a review is read, and the shape of what answers it.

Both carriers go through an `Endpoint`, so there is one implementation of each
check: method, client certificate, size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog

from authsvc import metrics
from authsvc.api import meta
from authsvc.tallies import Tally

_log = structlog.get_logger()

# All that Flask answers is asked with a small form, or with nothing.
MAX_OTHER_BODY = 64 * 1024

# How much of a body over the limit is looked at, to say what it is.
BEGINNING = 64 * 1024
# How much of a body is read and thrown away, where its sender is to read an answer
# and not an error: more than an API server makes of the 1 MiB of a request's URL.
MAX_DRAINED = 32 * 1024 * 1024


class Answer(msgspec.Struct, frozen=True):
    """A status code and a JSON body."""

    status: int
    body: bytes


def failure(status: int, message: str) -> Answer:
    """Return a failure as a Kubernetes Status."""
    return Answer(status, meta.status(status, message))


# 503 without Retry-After: the API server tells its user at once; all
# else it asks again, for seconds.
BUSY = failure(503, "too many requests wait for a back end already")


def too_large(limit: int) -> Answer:
    """Return the answer to a body over ``limit`` bytes."""
    return failure(413, f"the body is over {limit} bytes")


_HEADERS = (("content-type", "application/json"), ("x-content-type-options", "nosniff"))
_HEADERS_405 = (*_HEADERS, ("allow", "POST"))  # RFC 9110 15.5.6


def headers_of(status: int) -> Sequence[tuple[str, str]]:
    """Return the headers of an answer with that status, but for those of its framing."""
    return _HEADERS_405 if status == 405 else _HEADERS


class ReviewHandler(Protocol):
    """Answers one kind of review."""

    def handle_nowait(self, body: bytes) -> Answer | None:
        """Answer at once, or return None where that would mean to wait for a back end."""
        ...

    def handle(self, body: bytes) -> Answer:
        """Answer, however long it takes."""
        ...

    def busy(self, body: bytes) -> Answer:
        """Answer that too many wait for a back end already."""
        ...

    def too_large(self, beginning: bytes, limit: int) -> Answer:
        """Answer a body over ``limit`` bytes by its first `BEGINNING`; with 200 it is drained."""
        ...


@dataclass(frozen=True, slots=True)
class ClientCheck:
    """Which clients may ask reviews: holders of a certificate of the client CA.

    TLS has verified the certificate by the time its names get here.
    ``required`` False: the listener has no client CA and asks for none.
    """

    required: bool = False
    allowed_names: frozenset[str] = frozenset()

    def refusal(self, names: frozenset[str] | None) -> Answer | None:
        """Return why a client is refused, None where it is not; ``names`` None: no certificate."""
        if not self.required:
            return None
        if names is None:
            return failure(401, "a client certificate is required")
        if self.allowed_names and self.allowed_names.isdisjoint(names):
            return failure(403, "this client certificate may not ask for reviews")
        return None


class Endpoint:
    """One review's path: what may come in, and who answers."""

    def __init__(
        self, name: str, handler: ReviewHandler, clients: ClientCheck, max_body: int
    ) -> None:
        self.name = name
        self.max_body = max_body
        self._handler = handler
        self._clients = clients
        self._answered = {
            status: Tally(metrics.REQUESTS.labels(name, str(status)))
            for status in (200, 400, 401, 403, 405, 408, 413, 503)
        }

    def refusal(self, method: str, names: frozenset[str] | None) -> Answer | None:
        """Return the answer to a request that is refused before its body is read."""
        refused = self._clients.refusal(names)
        if refused is not None:
            return refused
        if method != "POST":
            return failure(405, f"{method} is not supported, a review is asked with POST")
        return None

    def handle_nowait(self, body: bytes) -> Answer | None:
        """Answer at once, or return None where that would mean to wait for a back end."""
        try:
            return self._handler.handle_nowait(body)
        except Exception:  # noqa: BLE001  see _crashed
            return self._crashed()

    def handle(self, body: bytes) -> Answer:
        """Answer, however long it takes."""
        try:
            return self._handler.handle(body)
        except Exception:  # noqa: BLE001  see _crashed
            return self._crashed()

    def busy(self, body: bytes) -> Answer:
        """Answer that too many wait for a back end already."""
        return self._handler.busy(body)

    def too_large(self, beginning: bytes) -> Answer:
        """Answer a body over the limit."""
        return self._handler.too_large(beginning, self.max_body)

    def _crashed(self) -> Answer:
        # A fault of ours. 503 without Retry-After: the API server would ask a
        # 500 five times, and keep its user waiting for 4.5 s.
        _log.error("review_crashed", endpoint=self.name, exc_info=True)
        return failure(503, "the review could not be answered")

    def count(self, answer: Answer) -> Answer:
        """Count an answer on its way out."""
        self._answered[answer.status].inc()
        return answer
