"""SubjectAccessReview: may they?

What was not granted is *no opinion*, so the API server's next authorizer can
still say yes. A failure is 503 without Retry-After, which the API server does
not retry: the user's request fails (or goes on, by failurePolicy) at once.

A user must not be able to bring that failure about, or they would choose when a
denial does not bind. What they can make large is their own question: an API server
turns a URL's 3 bytes of a label selector into 40 of a review, up to some 14 MiB. So
large reviews are decided one at a time, beside the others, and those that cannot be
decided soon are denied.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from time import perf_counter
from typing import Protocol

import structlog

from authsvc import metrics
from authsvc.api import authorization
from authsvc.errors import InvalidReviewError, NotReadyError
from authsvc.interfaces import Authorizer, Decision, Effect
from authsvc.tallies import Tally, Timings
from authsvc.webhook.decisionlog import DecisionLog
from authsvc.webhook.reviews import BUSY, Answer, failure, too_large

_log = structlog.get_logger()

# From here on a review takes milliseconds. One of a user in a thousand groups is smaller.
LARGE = 64 * 1024
# An API server waits for three seconds, as `authsvc init` configures it; reading and
# TLS take their part of them.
_LARGE_WAIT_SECONDS = 0.5

# An API server writes what is asked before it writes who asks. In JSON's strings
# quotes are escaped, so neither can be part of what a user sent.
_ASKED = re.compile(rb'"(?:nonR|r)esourceAttributes"\s*:')
_WHO = re.compile(rb'"user"\s*:')
_VERSION = re.compile(rb'"apiVersion"\s*:\s*"([a-z0-9./]{1,64})"')

_SECONDS = Timings(metrics.REQUEST_SECONDS.labels("authorize"))
_EFFECTS = {effect: Tally(metrics.AUTHORIZATIONS.labels(effect.value)) for effect in Effect}


class Deciding(Protocol):
    """Who decides. ``decides_quickly`` False: it takes milliseconds of the processor."""

    @property
    def authorizer(self) -> Authorizer: ...

    @property
    def decides_quickly(self) -> bool: ...


class SubjectAccessReviewHandler:
    """Answers SubjectAccessReviews by the authorizer that is current.

    For one that takes its time the event loop is not to stand still.
    """

    def __init__(self, current: Callable[[], Deciding], decisions: DecisionLog) -> None:
        self._current = current
        self._decisions = decisions
        self._large = threading.Lock()

    def handle_nowait(self, body: bytes) -> Answer | None:
        """Answer at once, or return None where the decision takes its time."""
        if len(body) > LARGE or not (current := self._current()).decides_quickly:
            return None
        return self._decide(body, current.authorizer)

    def handle(self, body: bytes) -> Answer:
        """Decide and answer; of large reviews one at a time."""
        authorizer = self._current().authorizer
        if len(body) <= LARGE:
            return self._decide(body, authorizer)
        if not self._large.acquire(timeout=_LARGE_WAIT_SECONDS):
            return self._denied(body, "too many large reviews at a time")
        try:
            return self._decide(body, authorizer, is_large=True)
        finally:
            self._large.release()

    def busy(self, body: bytes) -> Answer:
        """Answer that too many wait already."""
        if len(body) > LARGE:
            return self._denied(body, "too many large reviews at a time")
        return BUSY

    def too_large(self, beginning: bytes, limit: int) -> Answer:
        """Deny what asks for so much; refuse what is no review of an API server."""
        if _ASKED.search(beginning) and not _WHO.search(beginning):
            return self._denied(beginning, f"what is asked is over {limit} bytes")
        return too_large(limit)

    def _denied(self, beginning: bytes, why: str) -> Answer:
        version = _VERSION.search(beginning[:LARGE])
        api_version = version[1].decode() if version else ""
        if api_version not in authorization.VERSIONS:
            api_version = authorization.VERSIONS[0]
        _EFFECTS[Effect.DENY].inc()
        _log.warning("subjectaccessreview_denied_undecided", reason=why)
        return Answer(200, authorization.render(api_version, Decision(Effect.DENY, why)))

    def _decide(self, body: bytes, authorizer: Authorizer, *, is_large: bool = False) -> Answer:
        started = perf_counter()
        try:
            review = authorization.parse(body)
        except InvalidReviewError as error:
            return failure(400, str(error))
        try:
            decision = authorizer.authorize(review.attributes)
        except NotReadyError as error:
            _log.error("subjectaccessreview_not_ready", error=str(error))
            return failure(503, "no policy is loaded")
        answer = Answer(200, authorization.render(review.api_version, decision))
        elapsed = perf_counter() - started
        _SECONDS.observe(elapsed)
        _EFFECTS[decision.effect].inc()
        self._decisions.subject_access_review(review, decision, elapsed, abridged=is_large)
        return answer
