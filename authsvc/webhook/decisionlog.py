"""The decision log: one JSON line per review, for auditors and for `policy replay`.

A SubjectAccessReview's line holds the review's ``spec``, so that it can be asked
again of another policy. Lines are handed to a thread that writes them: a slow
or full disk, or a pipe nobody reads, never holds up an answer. A file is
followed when it is rotated away.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from itertools import count
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from authsvc import metrics
from authsvc.api.authorization import Spec, SubjectAccessReview
from authsvc.interfaces import Decision, Identity

_log = structlog.get_logger()

# At 20,000 decisions a second this is five seconds of a disk that hangs.
MAX_WAITING_LINES = 100_000
_FLUSH_SECONDS = 0.05
_ROTATION_CHECK_SECONDS = 1.0


class _Shadow(msgspec.Struct, omit_defaults=True):
    effect: str
    reason: str = ""
    rules: tuple[str, ...] = ()


class _Authorization(msgspec.Struct, rename="camel", omit_defaults=True):
    time: str
    kind: Literal["SubjectAccessReview"]
    request_id: str
    effect: str
    spec: Spec
    duration_microseconds: int
    reason: str = ""
    rules: tuple[str, ...] = ()
    shadow: _Shadow | None = None


class _User(msgspec.Struct, omit_defaults=True):
    username: str
    uid: str = ""
    groups: tuple[str, ...] = ()


class _Authentication(msgspec.Struct, rename="camel", omit_defaults=True):
    time: str
    kind: Literal["TokenReview"]
    request_id: str
    outcome: str
    cached: bool
    duration_microseconds: int
    user: _User | None = None
    audiences: tuple[str, ...] = ()


class DecisionLog:
    """Writes decisions to ``stdout``, to a file, or nowhere (``off``)."""

    def __init__(self, target: str | Path) -> None:
        self._off = target == "off"
        self._path = target if isinstance(target, Path) else None
        self._fd: int | None = None
        self._inode: tuple[int, int] | None = None
        self._checked = 0.0
        self._failing = False
        self._lines: deque[bytes] = deque()
        self._encoder = msgspec.json.Encoder()
        self._ids = count(1)
        self._run = ""
        self._second = 0
        self._prefix = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def subject_access_review(
        self, review: SubjectAccessReview, decision: Decision, seconds: float
    ) -> None:
        """Record a decision."""
        if self._off:
            return
        shadow = decision.shadowed
        self._append(
            _Authorization(
                self._now(),
                "SubjectAccessReview",
                self._id(),
                decision.effect.value,
                review.spec,
                int(seconds * 1_000_000),
                decision.reason,
                decision.rules,
                shadow and _Shadow(shadow.effect.value, shadow.reason, shadow.rules),
            )
        )

    def token_review(
        self, outcome: str, identity: Identity | None, seconds: float, *, cached: bool
    ) -> None:
        """Record whose a token was; never the token."""
        if self._off:
            return
        record = _Authentication(
            self._now(), "TokenReview", self._id(), outcome, cached, int(seconds * 1_000_000)
        )
        if identity is not None:
            user = identity.user
            record.user = _User(user.username, user.uid, user.groups)
            record.audiences = identity.audiences
        self._append(record)

    def start(self) -> None:
        """Open the file and start the thread that writes, once per process."""
        if self._off or self._thread is not None:
            return
        self._run = os.urandom(6).hex()
        self._stop.clear()
        self._thread = threading.Thread(target=self._write_until_stopped, name="decision-log")
        self._thread.start()

    def close(self) -> None:
        """Write what waits, and stop."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stop.set()
            thread.join()
        if self._fd is not None and self._path is not None:
            os.close(self._fd)
            self._fd = None

    def _append(self, record: msgspec.Struct) -> None:
        if len(self._lines) >= MAX_WAITING_LINES:
            metrics.DECISION_LOG_FAILURES.inc()
            return
        self._lines.append(self._encoder.encode(record))

    def _id(self) -> str:
        return f"{self._run}-{next(self._ids)}"

    def _now(self) -> str:
        # The part up to the second is made once a second: strftime costs more
        # than the rest of the line.
        now = time.time()
        second = int(now)
        if second != self._second:
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second
        return f"{self._prefix}.{int((now - second) * 1000):03d}Z"

    def _write_until_stopped(self) -> None:
        while not self._stop.wait(_FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        waiting = len(self._lines)
        if not waiting:
            return
        lines = [self._lines.popleft() for _ in range(waiting)]
        lines.append(b"")
        try:
            _write_all(self._descriptor(), b"\n".join(lines))
        except OSError as error:
            metrics.DECISION_LOG_FAILURES.inc(waiting)
            if not self._failing:
                _log.error("decision_log_failed", error=error.strerror, lines_lost=waiting)
            self._failing = True
        else:
            if self._failing:
                _log.info("decision_log_works_again")
            self._failing = False

    def _descriptor(self) -> int:
        """Return what to write to; a file that was moved away or removed is made anew."""
        if self._path is None:
            return sys.stdout.fileno()
        now = time.monotonic()
        if self._fd is not None and now - self._checked >= _ROTATION_CHECK_SECONDS:
            self._checked = now
            try:
                status = self._path.stat()
                moved = (status.st_dev, status.st_ino) != self._inode
            except FileNotFoundError:
                moved = True
            if moved:
                os.close(self._fd)
                self._fd = None
        if self._fd is None:
            # 0600: names and groups of people are nobody else's business.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._fd = os.open(self._path, flags, 0o600)
            status = os.fstat(self._fd)
            self._inode = (status.st_dev, status.st_ino)
        return self._fd


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
