"""The decision log: one JSON line per review, for auditors and for `policy replay`.

A SubjectAccessReview's line holds the review's ``spec``, so that it can be asked
again of another policy.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
import structlog

from authsvc import metrics
from authsvc.api.authorization import Spec, SubjectAccessReview
from authsvc.interfaces import Decision, Identity
from authsvc.webhook.line_writer import MAX_WAITING_BYTES, LineWriter

_log = structlog.get_logger()

# A line is noted on the path of its review, and made with others of its kind a
# moment later: one after the other they cost half of what each costs between two
# system calls.
_MOST_NOTED = 32
# Of each name in an abridged review, in characters.
_LONGEST_TEXT = 1024


class _Shadow(msgspec.Struct, omit_defaults=True):
    effect: str
    reason: str = ""
    rules: tuple[str, ...] = ()


class _Authorization(msgspec.Struct, rename="camel", omit_defaults=True):
    time: datetime
    kind: Literal["SubjectAccessReview"]
    request_id: str
    effect: str
    spec: Spec
    duration_microseconds: int
    reason: str = ""
    rules: tuple[str, ...] = ()
    shadow: _Shadow | None = None
    abridged: bool = False


class _User(msgspec.Struct, omit_defaults=True):
    username: str
    uid: str = ""
    groups: tuple[str, ...] = ()


class _Authentication(msgspec.Struct, rename="camel", omit_defaults=True):
    time: datetime
    kind: Literal["TokenReview"]
    request_id: str
    outcome: str
    cached: bool
    duration_microseconds: int
    user: _User | None = None
    audiences: tuple[str, ...] = ()


_Noted: TypeAlias = Callable[[str], msgspec.Struct]
"""Makes the line, given its ``requestId``."""


def _authorization(
    now: float, spec: Spec, decision: Decision, seconds: float, abridged: bool, request_id: str
) -> _Authorization:
    shadow = decision.shadowed
    return _Authorization(
        datetime.fromtimestamp(now, UTC),
        "SubjectAccessReview",
        request_id,
        decision.effect.value,
        spec,
        int(seconds * 1_000_000),
        decision.reason,
        decision.rules,
        shadow and _Shadow(shadow.effect.value, shadow.reason, shadow.rules),
        abridged,
    )


def _authentication(
    now: float,
    outcome: str,
    identity: Identity | None,
    seconds: float,
    cached: bool,
    request_id: str,
) -> _Authentication:
    record = _Authentication(
        datetime.fromtimestamp(now, UTC),
        "TokenReview",
        request_id,
        outcome,
        cached,
        int(seconds * 1_000_000),
    )
    if identity is not None:
        user = identity.user
        record.user = _User(user.username, user.uid, user.groups)
        record.audiences = identity.audiences
    return record


class DecisionLog:
    """Writes decisions to ``stdout``, to a file, or nowhere (``off``).

    While the target can not be written to, lines wait; those that find
    ``max_waiting_bytes`` waiting before them are lost, and counted.
    """

    def __init__(self, target: str | Path, *, max_waiting_bytes: int = MAX_WAITING_BYTES) -> None:
        self._off = target == "off"
        self._noted: deque[_Noted] = deque()
        self._encoding = threading.Lock()
        self._encoder = msgspec.json.Encoder()
        self._ids = count(1)
        self._run = ""
        self._writer = LineWriter(target, self._hand_over, max_waiting_bytes=max_waiting_bytes)

    @property
    def problem(self) -> str | None:
        """What is wrong while lines can not be written."""
        return self._writer.problem

    def subject_access_review(
        self,
        review: SubjectAccessReview,
        decision: Decision,
        seconds: float,
        *,
        abridged: bool = False,
    ) -> None:
        """Record a decision; ``abridged``: without selectors and long names, which is said."""
        spec = review.spec.abridged(_LONGEST_TEXT) if abridged else review.spec
        self._note(partial(_authorization, time.time(), spec, decision, seconds, abridged))

    def token_review(
        self, outcome: str, identity: Identity | None, seconds: float, *, cached: bool
    ) -> None:
        """Record whose a token was; never the token."""
        self._note(partial(_authentication, time.time(), outcome, identity, seconds, cached))

    def check(self) -> None:
        """See whether the file could be written, without making it.

        Raises:
            InvalidConfigurationError: it could not.
        """
        self._writer.check()

    def start(self) -> None:
        """Start the thread that writes, once per process."""
        self._run = self._run or os.urandom(6).hex()
        self._writer.start()

    def close(self) -> None:
        """Write what waits, for as long as that takes a target that works, and stop."""
        self._writer.close()

    def _note(self, record: _Noted) -> None:
        if self._off:
            return
        noted = self._noted
        noted.append(record)
        if len(noted) >= _MOST_NOTED:
            self._hand_over()

    def _hand_over(self) -> None:
        """Make lines of what was noted, one after the other."""
        with self._encoding:
            noted = self._noted
            records = [noted.popleft()(self._id()) for _ in range(len(noted))]
            try:
                self._writer.add(self._encoder.encode_lines(records), len(records))
            except UnicodeEncodeError:
                self._hand_over_singly(records)

    def _hand_over_singly(self, records: Sequence[msgspec.Struct]) -> None:
        for record in records:
            try:
                self._writer.add(self._encoder.encode_lines([record]), 1)
            except UnicodeEncodeError:
                metrics.DECISION_LOG_FAILURES.inc()
                _log.error("decision_log_line_lost", exc_info=True)

    def _id(self) -> str:
        return f"{self._run}-{next(self._ids)}"
