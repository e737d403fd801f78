"""The decision log: one JSON line per review, for auditors and for `policy replay`.

A SubjectAccessReview's line holds the review's ``spec``, so that it can be asked
again of another policy.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
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

# A line is noted on the path of its review, and made with others a moment later: one
# after the other they cost half of what each costs between two system calls.
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
    ``max_waiting_bytes`` waiting before them are lost, and counted. Some dozens are
    not even lines yet.
    """

    def __init__(self, target: str | Path, *, max_waiting_bytes: int = MAX_WAITING_BYTES) -> None:
        self._off = target == "off"
        self._noted: deque[_Noted] = deque()
        self._making = threading.Lock()
        self._encoder = msgspec.json.Encoder()
        self._ids = count(1)
        self._run = ""
        self._writer = LineWriter(target, self._fetch, max_waiting_bytes=max_waiting_bytes)

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
        if self._off:
            return
        spec = review.spec.abridged(_LONGEST_TEXT) if abridged else review.spec
        self._note(partial(_authorization, time.time(), spec, decision, seconds, abridged))

    def token_review(
        self, outcome: str, identity: Identity | None, seconds: float, *, cached: bool
    ) -> None:
        """Record whose a token was; never the token."""
        if self._off:
            return
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
        noted = self._noted
        noted.append(record)
        # Where another makes lines already, that one or the next takes this as well.
        if len(noted) >= _MOST_NOTED and self._making.acquire(blocking=False):
            try:
                self._make_lines()
            finally:
                self._making.release()

    def _fetch(self) -> None:
        with self._making:
            self._make_lines()

    def _make_lines(self) -> None:
        """Hand over lines of what was noted, one after the other."""
        noted = self._noted
        taken = [(noted.popleft(), self._id()) for _ in range(len(noted))]
        try:
            lines = self._encoder.encode_lines([make(number) for make, number in taken])
        except Exception:  # noqa: BLE001  one of them is to blame, the others are not lost for it
            for make, number in taken:
                self._make_line(make, number)
        else:
            self._writer.add(lines, len(taken))

    def _make_line(self, make: _Noted, number: str) -> None:
        try:
            line = self._encoder.encode_lines([make(number)])
        except Exception:  # noqa: BLE001  neither the review nor the log is to end by it
            metrics.DECISION_LOG_FAILURES.inc()
            _log.error("decision_log_line_lost", exc_info=True)
        else:
            self._writer.add(line, 1)

    def _id(self) -> str:
        return f"{self._run}-{next(self._ids)}"
