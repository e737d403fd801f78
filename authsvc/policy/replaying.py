"""What a decision log would have become under another policy.

A line of the log holds what was asked, when, and what was answered. Each is
asked again of the new policy at the time it was asked, so that a grant that
was for one night still counts on that night.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec

from authsvc.api import authorization
from authsvc.errors import InvalidReviewError
from authsvc.interfaces import Attributes, Decision, Effect
from authsvc.policy.evaluation import Evaluator


class _Record(msgspec.Struct):
    kind: str = ""
    effect: str = ""
    reason: str = ""
    time: str = ""
    spec: authorization.Spec | None = None
    abridged: bool = False


class Replayed(NamedTuple):
    """One decision, as it was and as it would have been; ``line`` is its place in the log."""

    line: int
    time: str
    request: Attributes
    before: Decision
    after: Decision

    @property
    def changed(self) -> bool:
        """Whether the effect would have been another."""
        return self.before.effect is not self.after.effect


_decoder = msgspec.json.Decoder(_Record)


def replay(log: Iterable[bytes], evaluator: Evaluator, now: float) -> Iterator[Replayed]:
    """Ask each SubjectAccessReview of a log again; other lines are passed over.

    So are the few whose selectors or names were too long to be kept (``abridged``).

    ``now`` is the time of lines that have none.

    Raises:
        InvalidReviewError: a line that is not one of a decision log, with its number.
    """
    for number, line in enumerate(log, start=1):
        if not line.strip():
            continue
        try:
            record = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidReviewError(f"line {number}", str(error)) from None
        if record.kind != authorization.KIND or record.abridged:
            continue
        yield _replay_one(record, number, evaluator, now)


def _replay_one(record: _Record, number: int, evaluator: Evaluator, now: float) -> Replayed:
    place = f"line {number}"
    if record.spec is None:
        raise InvalidReviewError(place, "has no spec")
    try:
        effect = Effect(record.effect)
    except ValueError:
        message = f"has no effect that is known: {record.effect!r}"
        raise InvalidReviewError(place, message) from None
    try:
        moment = datetime.fromisoformat(record.time).timestamp() if record.time else now
        request = authorization.attributes_of(record.spec)
    except ValueError:
        raise InvalidReviewError(place, f"has no time that is known: {record.time!r}") from None
    except InvalidReviewError as error:
        raise InvalidReviewError(f"{place}: {error.path}", error.message) from None
    before = Decision(effect, record.reason)
    return Replayed(number, record.time, request, before, evaluator.decide(request, moment))
