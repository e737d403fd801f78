"""The last good of what was made out of files.

A part of the service that lives in files (policy, tokens, configuration, keys,
certificates) is an immutable value. When its files change, a new value is made
beside the old one and one reference is swapped; when that fails, the old one
stays and says so in the log, in metrics and in /readyz. Nothing here knows
what the files mean.

Files are polled, not watched by inotify: a ConfigMap's symlink swap, an
editor's rename, NFS and a bind mount all look the same to ``stat``.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from authsvc import memory, metrics
from authsvc.background import Background
from authsvc.errors import AuthsvcError, NotReadyError

T = TypeVar("T")

POLL_SECONDS = 1.0

# A version is known by the hash of the files' fingerprint, in memory that forks share.
_VERSION = struct.Struct("q")

_log = structlog.get_logger()


def fingerprint(paths: Sequence[Path]) -> Hashable:
    """Return a value that changes when any of the files, or the files of the folders, does.

    What cannot be read has a fingerprint as well: that it went away is a change.
    """
    return tuple(_of_path(path) for path in paths)


def _of_path(path: Path) -> Hashable:
    try:
        with os.scandir(path) as entries:
            names = sorted(entry.name for entry in entries)
    except NotADirectoryError:
        return _of_file(path)
    except OSError as error:
        return error.errno
    return tuple((name, _of_file(path / name)) for name in names)


def _of_file(path: Path) -> Hashable:
    try:
        status = path.stat()
    except OSError as error:
        return error.errno
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


class Reloading(Generic[T]):
    """Holds the last good value that ``load`` made; makes it anew when ``paths`` change.

    ``load`` raises an AuthsvcError where the files are not usable; any other
    exception is a fault of ours, but costs the new value only, never the old.
    ``retire`` is called with each value that was replaced, after the new one is
    in place; ``measure`` publishes gauges of a value, in each process that has it.
    ``keep_inherited``: a value from before a fork stays in use also where
    another process had a newer one and the files can not be used any more.
    ``retry_seconds``, where what was refused may name files that are none of
    ``paths``: it is tried again so often. 0: only when ``paths`` change.
    """

    def __init__(  # noqa: PLR0913  all but three are named, and have a default
        self,
        part: str,
        load: Callable[[], T],
        paths: Sequence[Path],
        *,
        retire: Callable[[T], None] | None = None,
        measure: Callable[[T], None] | None = None,
        keep_inherited: bool = False,
        retry_seconds: float = 0.0,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.part = part
        self.generation = 0
        self.last_error: str | None = None
        self._load = load
        self._paths = tuple(paths)
        self._retire = retire
        self._measure = measure
        self._keep_inherited = keep_inherited
        self._retry_seconds = retry_seconds
        self._retry_at = 0.0
        self._poll_seconds = poll_seconds
        self._current: T | None = None
        self._seen: Hashable = None
        self._pending: Hashable = None
        # Which version was taken last: here, and by any process forked from here.
        self._taken = 0
        self._newest = mmap.mmap(-1, _VERSION.size)
        self._lock = threading.Lock()
        self._background = Background(f"reload-{part}", self._poll_until_stopped)

    @property
    def current(self) -> T:
        """The last good value.

        Raises:
            NotReadyError: there is none in this process.
        """
        value = self._current
        if value is None:
            raise NotReadyError(f"{self.part}: not loaded")
        return value

    @property
    def last_good(self) -> T | None:
        """The last good value, None where there is none in this process."""
        return self._current

    def load(self) -> T:
        """Load for the first time; errors go through: a start refuses what a reload survives."""
        with self._lock:
            self._seen = fingerprint(self._paths)
            self._take(self._load())
        return self.current

    def reload(self) -> bool:
        """Load anew; keep the last good value and return False where that fails."""
        with self._lock:
            before, self._seen = self._seen, fingerprint(self._paths)
            try:
                value = self._load()
            except AuthsvcError as error:
                self._keep(str(error), again=before == self._seen)
                return False
            except Exception as error:  # noqa: BLE001  whatever it is, the last good value must stay
                self._keep(f"{type(error).__name__} while loading")
                _log.error("reload_crashed", part=self.part, exc_info=True)
                return False
            self._take(value)
        memory.give_back()
        return True

    def start(self) -> None:
        """Start polling, once per process.

        What changed since the last look is taken at once: a worker that is
        forked months after the master loaded must not answer from back then.
        Where it can not be taken, the value from before the fork is the last
        good one, unless another worker had taken a newer one. Then there is no
        value until there is a good one again: what was good in between had
        perhaps a denial more or a token less.
        """
        if self._background.runs:
            return
        behind = self._is_behind()
        if (behind or fingerprint(self._paths) != self._seen) and not self.reload() and behind:
            self._forget()
        self._publish()
        self._background.start()

    def poll(self) -> None:
        """Look at the files once, for those who poll by themselves.

        A change is taken when two looks saw the same: an editor that writes a
        file in pieces is given the time to finish.
        """
        now = fingerprint(self._paths)
        if now == self._seen:
            self._pending = None
            if self.last_error and self._retry_seconds and time.monotonic() >= self._retry_at:
                self.reload()
        elif now == self._pending:
            self._pending = None
            self.reload()
        else:
            self._pending = now

    def close(self) -> None:
        """Stop polling; what is being loaded is in place, or was given up, afterwards."""
        self._background.close()

    def _take(self, value: T) -> None:
        replaced, self._current = self._current, value
        self._taken = hash(self._seen)
        _VERSION.pack_into(self._newest, 0, self._taken)
        self.generation += 1
        self.last_error = None
        metrics.RELOADS.labels(self.part, "success").inc()
        self._publish()
        if replaced is not None:
            _log.info("reloaded", part=self.part, generation=self.generation)
            self._call(self._retire, replaced)

    def _keep(self, error: str, *, again: bool = False) -> None:
        known, self.last_error = self.last_error, error
        self._retry_at = time.monotonic() + self._retry_seconds
        metrics.RELOADS.labels(self.part, "failure").inc()
        self._publish()
        if not (again and error == known):
            _log.error("reload_failed_last_good_kept", part=self.part, error=error)

    def _is_behind(self) -> bool:
        """Whether another process has taken something that this one has not."""
        newest: int = _VERSION.unpack_from(self._newest)[0]
        return newest != self._taken and not self._keep_inherited

    def _forget(self) -> None:
        with self._lock:
            self._current = None
            self.generation = 0
        _log.error("no_last_good_in_this_worker", part=self.part)

    def _publish(self) -> None:
        # Gauges are a process's own: what was set before a fork is not the worker's.
        metrics.RELOAD_HEALTHY.labels(self.part).set(0 if self.last_error else 1)
        metrics.GENERATION.labels(self.part).set(self.generation)
        if self._current is not None:
            self._call(self._measure, self._current)

    def _call(self, hook: Callable[[T], None] | None, value: T) -> None:
        # The value is good and in place: what fails here must not end the polling.
        if hook is None:
            return
        try:
            hook(value)
        except Exception:  # noqa: BLE001  see above
            _log.error("reload_hook_crashed", part=self.part, exc_info=True)

    def _poll_until_stopped(self) -> None:
        while not self._background.wait(self._poll_seconds):
            self.poll()
