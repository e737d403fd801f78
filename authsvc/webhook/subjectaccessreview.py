"""SubjectAccessReview: may they?

What was not granted is *no opinion*, so the API server's next authorizer can
still say yes. A failure is 503 without Retry-After, which the API server does
not retry: the user's request fails (or goes on, by failurePolicy) at once.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import structlog

from authsvc import metrics
from authsvc.api import authorization
from authsvc.errors import InvalidReviewError, NotReadyError
from authsvc.interfaces import Authorizer, Effect
from authsvc.tallies import Tally, Timings
from authsvc.webhook.decisionlog import DecisionLog
from authsvc.webhook.reviews import BUSY, Answer, failure

_log = structlog.get_logger()

_SECONDS = Timings(metrics.REQUEST_SECONDS.labels("authorize"))
_EFFECTS = {effect: Tally(metrics.AUTHORIZATIONS.labels(effect.value)) for effect in Effect}


class SubjectAccessReviewHandler:
    """Answers SubjectAccessReviews by the authorizer that is current.

    ``is_quick`` False: its decisions take milliseconds of the processor, as
    Casbin's own enforcer does; the event loop is not to stand still for them.
    """

    def __init__(
        self,
        current: Callable[[], Authorizer],
        decisions: DecisionLog,
        is_quick: Callable[[], bool] = lambda: True,
    ) -> None:
        self._current = current
        self._decisions = decisions
        self._is_quick = is_quick

    def handle_nowait(self, body: bytes) -> Answer | None:
        """Answer at once, or return None where the decision takes its time."""
        return self.handle(body) if self._is_quick() else None

    def busy(self, _body: bytes) -> Answer:
        """Answer that too many wait already."""
        return BUSY

    def handle(self, body: bytes) -> Answer:
        """Decide and answer."""
        started = perf_counter()
        try:
            review = authorization.parse(body)
        except InvalidReviewError as error:
            return failure(400, str(error))
        try:
            decision = self._current().authorize(review.attributes)
        except NotReadyError as error:
            _log.error("subjectaccessreview_not_ready", error=str(error))
            return failure(503, "no policy is loaded")
        answer = Answer(200, authorization.render(review.api_version, decision))
        elapsed = perf_counter() - started
        _SECONDS.observe(elapsed)
        _EFFECTS[decision.effect].inc()
        self._decisions.subject_access_review(review, decision, elapsed)
        return answer
