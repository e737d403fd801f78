"""The decision log: one JSON line per review, for auditors and for `policy replay`.

A SubjectAccessReview's line holds the review's ``spec``, so that it can be asked
again of another policy. Lines are handed to a thread that writes them: a slow
or full disk, or a pipe nobody reads, never holds up an answer. A file that was
rotated away is made anew.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from authsvc import metrics
from authsvc.api.authorization import Spec, SubjectAccessReview
from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.interfaces import Decision, Identity

_log = structlog.get_logger()

# At 20,000 decisions a second this is five seconds of a disk that hangs.
MAX_WAITING_BYTES = 64 * 1024 * 1024
# A worker that stops is killed soon after; a pipe nobody reads must not take that time.
CLOSE_SECONDS = 5.0
# Of each name in an abridged review, in characters.
_LONGEST_TEXT = 1024
_FLUSH_SECONDS = 0.05
_RETRY_SECONDS = 1.0
_ROTATION_CHECK_SECONDS = 1.0


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


class DecisionLog:
    """Writes decisions to ``stdout``, to a file, or nowhere (``off``).

    While the target can not be written to, lines wait; those that find
    ``max_waiting_bytes`` waiting before them are lost, and counted. ``problem`` says
    meanwhile what is wrong.
    """

    def __init__(self, target: str | Path, *, max_waiting_bytes: int = MAX_WAITING_BYTES) -> None:
        self._off = target == "off"
        self._path = target if isinstance(target, Path) else None
        self._name = str(target)
        self._fd: int | None = None
        self._inode: tuple[int, int] | None = None
        self._checked = 0.0
        self.problem: str | None = None
        self._lock = threading.Lock()
        self._waiting = bytearray()
        self._max_waiting_bytes = max_waiting_bytes
        self._unwritten = memoryview(b"")
        # Workers share a stdout: a pipe keeps up to PIPE_BUF bytes in one piece
        # (POSIX, write), more of them may be mixed with another's.
        self._max_piece = select.PIPE_BUF if self._path is None else 1024 * 1024
        self._encoder = msgspec.json.Encoder()
        self._ids = count(1)
        self._run = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

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
        shadow = decision.shadowed
        spec = review.spec.abridged(_LONGEST_TEXT) if abridged else review.spec
        self._append(
            _Authorization(
                datetime.now(UTC),
                "SubjectAccessReview",
                self._id(),
                decision.effect.value,
                spec,
                int(seconds * 1_000_000),
                decision.reason,
                decision.rules,
                shadow and _Shadow(shadow.effect.value, shadow.reason, shadow.rules),
                abridged,
            )
        )

    def token_review(
        self, outcome: str, identity: Identity | None, seconds: float, *, cached: bool
    ) -> None:
        """Record whose a token was; never the token."""
        if self._off:
            return
        record = _Authentication(
            datetime.now(UTC), "TokenReview", self._id(), outcome, cached, int(seconds * 1_000_000)
        )
        if identity is not None:
            user = identity.user
            record.user = _User(user.username, user.uid, user.groups)
            record.audiences = identity.audiences
        self._append(record)

    def check(self) -> None:
        """See whether the file could be written, without making it.

        Raises:
            InvalidConfigurationError: it could not.
        """
        path = self._path
        if path is None:
            return
        if path.is_dir():
            reason = "is a directory"
        elif not os.access(path if path.exists() else path.parent, os.W_OK, effective_ids=True):
            reason = "cannot be written"
        else:
            return
        raise InvalidConfigurationError([ConfigError("logging.decisions", f"{path}: {reason}")])

    def start(self) -> None:
        """Start the thread that writes, once per process."""
        if self._off or self._thread is not None:
            return
        self._run = os.urandom(6).hex()
        self._stop.clear()
        self._thread = threading.Thread(
            target=self._write_until_stopped, name="decision-log", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Write what waits, for as long as that takes a target that works, and stop."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._stop.set()
        thread.join(CLOSE_SECONDS)
        if thread.is_alive() or self._unwritten:
            lost = bytes(self._unwritten).count(b"\n") + self._waiting.count(b"\n")
            metrics.DECISION_LOG_FAILURES.inc(lost)
            _log.error("decision_log_closed_before_all_was_written", lines_lost=lost)
        elif self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _append(self, record: msgspec.Struct) -> None:
        with self._lock:
            waiting = self._waiting
            if len(waiting) < self._max_waiting_bytes:
                self._encoder.encode_into(record, waiting, -1)
                waiting += b"\n"
                return
        metrics.DECISION_LOG_FAILURES.inc()

    def _id(self) -> str:
        return f"{self._run}-{next(self._ids)}"

    def _write_until_stopped(self) -> None:
        while not self._stop.wait(_RETRY_SECONDS if self.problem else _FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        """Write what waits; what could not be written is kept, and goes on where it stopped."""
        try:
            while self._unwritten or self._take():
                written = os.write(self._descriptor(), self._piece())
                self._unwritten = self._unwritten[written:]
        except OSError as error:
            if not self.problem:
                _log.error("decision_log_failed_lines_wait", error=error.strerror, file=self._name)
            self.problem = f"{self._name}: {error.strerror}"
        else:
            if self.problem:
                _log.info("decision_log_works_again", file=self._name)
            self.problem = None

    def _take(self) -> bool:
        """Take all lines that wait."""
        with self._lock:
            lines, self._waiting = self._waiting, bytearray()
        self._unwritten = memoryview(lines)
        return bool(lines)

    def _piece(self) -> memoryview:
        """Return as many lines as are written in one piece."""
        piece = self._unwritten[: self._max_piece]
        if len(piece) == len(self._unwritten):
            return piece
        end = bytes(piece).rfind(b"\n") + 1
        return piece[:end] if end else piece

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
