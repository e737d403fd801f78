"""The decision log's way out: lines to a file or to stdout, written by a thread.

A slow or full disk, or a pipe nobody reads, never holds up who has a line. A file
that was rotated away is made anew.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from authsvc import metrics
from authsvc.errors import ConfigError, InvalidConfigurationError

_log = structlog.get_logger()

# At 20,000 decisions a second this is five seconds of a disk that hangs.
MAX_WAITING_BYTES = 64 * 1024 * 1024
# A worker that stops is killed soon after; a pipe nobody reads must not take that time.
CLOSE_SECONDS = 5.0
_FLUSH_SECONDS = 0.05
_RETRY_SECONDS = 1.0
_ROTATION_CHECK_SECONDS = 1.0


class LineWriter:
    """Writes lines to ``stdout``, to a file, or nowhere (``off``).

    ``fetch`` is called before lines are taken, to `add` what is none yet. While the
    target can not be written to, lines wait; those that find ``max_waiting_bytes``
    waiting before them are lost, and counted. ``problem`` says meanwhile what is
    wrong.
    """

    def __init__(
        self,
        target: str | Path,
        fetch: Callable[[], None],
        *,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self.off = target == "off"
        self.problem: str | None = None
        self._fetch = fetch
        self._path = target if isinstance(target, Path) else None
        self._name = str(target)
        self._fd: int | None = None
        self._inode: tuple[int, int] | None = None
        self._checked = 0.0
        self._lock = threading.Lock()
        self._waiting = bytearray()
        self._max_waiting_bytes = max_waiting_bytes
        self._unwritten = memoryview(b"")
        # Workers share a stdout: a pipe keeps up to PIPE_BUF bytes in one piece
        # (POSIX, write), more of them may be mixed with another's.
        self._max_piece = select.PIPE_BUF if self._path is None else 1024 * 1024
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, lines: bytes, count: int) -> None:
        """Take so many lines, to be written soon."""
        with self._lock:
            if len(self._waiting) < self._max_waiting_bytes:
                self._waiting += lines
                return
        metrics.DECISION_LOG_FAILURES.inc(count)

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
        if self.off or self._thread is not None:
            return
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
        if not thread.is_alive():
            self._flush()  # the lines of those who were answered meanwhile
        self._fetch()
        if thread.is_alive() or self._unwritten or self._waiting:
            lost = bytes(self._unwritten).count(b"\n") + self._waiting.count(b"\n")
            metrics.DECISION_LOG_FAILURES.inc(lost)
            _log.error("decision_log_closed_before_all_was_written", lines_lost=lost)
        elif self._fd is not None:
            os.close(self._fd)
            self._fd = None

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
        self._fetch()
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
