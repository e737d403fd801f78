"""The checks before a review is read, and the shape of what answers it.

Both carriers go through an `Endpoint`, so there is one implementation of each
check: method, client certificate, size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from authsvc import metrics
from authsvc.api import meta


class Answer(NamedTuple):
    """A status code and a JSON body."""

    status: int
    body: bytes


def failure(status: int, message: str) -> Answer:
    """Return a failure as a Kubernetes Status."""
    return Answer(status, meta.status(status, message))


class ReviewHandler(Protocol):
    """Answers one kind of review."""

    def prompt(self, body: bytes) -> Answer | None:
        """Answer at once, or return None where that would mean to wait for a back end."""
        ...

    def handle(self, body: bytes) -> Answer:
        """Answer, however long it takes."""
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
        self.handler = handler
        self.max_body = max_body
        self._clients = clients
        self._answered = {
            status: metrics.REQUESTS.labels(name, str(status))
            for status in (200, 400, 401, 403, 405, 408, 411, 413, 503)
        }

    def refusal(
        self, method: str, names: frozenset[str] | None, content_length: int | None
    ) -> Answer | None:
        """Return the answer to a request that is refused before its body is read."""
        refused = self._clients.refusal(names)
        if refused is not None:
            return refused
        if method != "POST":
            return failure(405, f"{method} is not supported, a review is asked with POST")
        if content_length is not None and content_length > self.max_body:
            return self.too_large()
        return None

    def too_large(self) -> Answer:
        """Return the answer to a body over the limit."""
        return failure(413, f"the body is over {self.max_body} bytes")

    def count(self, answer: Answer) -> Answer:
        """Count an answer on its way out."""
        self._answered[answer.status].inc()
        return answer
