"""TokenReview: whose is this token?

Always HTTP 200 to a review that can be read: anything else is an outage to the
API server. A token is never logged, not even a part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Protocol

import structlog

from authsvc import metrics
from authsvc.api import authentication
from authsvc.authn.cache import Miss
from authsvc.errors import BackendError, InvalidReviewError, NotReadyError
from authsvc.interfaces import Identity
from authsvc.tallies import Tally, Timings
from authsvc.webhook.decisionlog import DecisionLog
from authsvc.webhook.reviews import Answer, failure, too_large

_log = structlog.get_logger()

# What the API server is told of a failure: its log is read by others than ours.
ERROR = "the token could not be verified, try again"

_SECONDS = Timings(metrics.REQUEST_SECONDS.labels("authenticate"))
_OUTCOMES = {
    outcome: Tally(metrics.AUTHENTICATIONS.labels(outcome))
    for outcome in ("authenticated", "rejected", "error")
}


class PeekingAuthenticator(Protocol):
    """A token authenticator that can say what it knows without asking a back end."""

    def peek(self, token: str, audiences: Sequence[str]) -> Identity | Miss | None: ...

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None: ...


class TokenReviewHandler:
    """Answers TokenReviews by the authenticator that is current."""

    def __init__(self, current: Callable[[], PeekingAuthenticator], decisions: DecisionLog) -> None:
        self._current = current
        self._decisions = decisions

    def handle_nowait(self, body: bytes) -> Answer | None:
        """Answer what is remembered, None where a back end must be asked."""
        started = perf_counter()
        try:
            review = authentication.parse(body)
        except InvalidReviewError as error:
            return failure(400, str(error))
        found = self._current().peek(review.token, review.audiences)
        if found is Miss.MISS:
            return None
        return self._verdict(review, found, started, cached=True)

    def handle(self, body: bytes) -> Answer:
        """Answer, asking back ends where need be."""
        started = perf_counter()
        try:
            review = authentication.parse(body)
        except InvalidReviewError as error:
            return failure(400, str(error))
        try:
            identity = self._current().authenticate_token(review.token, review.audiences)
        except (BackendError, NotReadyError) as error:
            _log.error("tokenreview_failed", error=str(error))
        except Exception:  # noqa: BLE001  a fault of ours: no one gets in, and no verdict is cached
            _log.error("tokenreview_crashed", exc_info=True)
        else:
            return self._verdict(review, identity, started, cached=False)
        self._record("error", None, started, cached=False)
        return Answer(200, authentication.render_error(review.api_version, ERROR))

    def busy(self, body: bytes) -> Answer:
        """Answer that no verdict can be reached now: too many wait for a back end already."""
        started = perf_counter()
        try:
            review = authentication.parse(body)
        except InvalidReviewError as error:
            return failure(400, str(error))
        _log.error("tokenreview_failed", error="too many wait for a back end already")
        self._record("error", None, started, cached=False)
        return Answer(200, authentication.render_error(review.api_version, ERROR))

    def too_large(self, _beginning: bytes, limit: int) -> Answer:
        """Refuse: no token is so long."""
        return too_large(limit)

    def _verdict(
        self,
        review: authentication.TokenReview,
        identity: Identity | None,
        started: float,
        *,
        cached: bool,
    ) -> Answer:
        if identity is None:
            body = authentication.render_rejected(review.api_version)
            self._record("rejected", None, started, cached=cached)
        else:
            body = authentication.render_authenticated(review.api_version, identity)
            self._record("authenticated", identity, started, cached=cached)
        return Answer(200, body)

    def _record(
        self, outcome: str, identity: Identity | None, started: float, *, cached: bool
    ) -> None:
        elapsed = perf_counter() - started
        _SECONDS.observe(elapsed)
        _OUTCOMES[outcome].inc()
        self._decisions.token_review(outcome, identity, elapsed, cached=cached)
