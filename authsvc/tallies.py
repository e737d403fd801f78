"""Counting on the path of a request: noted there, added to the metrics a moment later.

Counters that several workers share take a lock and write to a mapped file at
each step, which costs a review as much as its decision. Here a step is one
append, and a thread adds up ten times a second. Nothing is lost at a graceful
stop; a killed worker loses its last tenth of a second.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from prometheus_client import Counter, Histogram

from authsvc.background import Background

T = TypeVar("T")

PUBLISH_SECONDS = 0.1


class _Pending(Protocol):
    def publish(self) -> None: ...


_all: list[_Pending] = []


class Tally:
    """A counter's child to be incremented on the path of a request: ``inc()`` counts one."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._steps: deque[None] = deque()
        self.inc: Callable[[], None] = partial(self._steps.append, None)
        _all.append(self)

    def publish(self) -> None:
        """Add what was noted to the counter."""
        steps = _take(self._steps)
        if steps:
            self._counter.inc(len(steps))


class Timings:
    """A histogram's child to be observed on the path of a request, in seconds."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._seconds: deque[float] = deque()
        self.observe: Callable[[float], None] = self._seconds.append
        _all.append(self)

    def publish(self) -> None:
        """Add what was noted to the histogram, each bucket once."""
        seconds = _take(self._seconds)
        if not seconds:
            return
        # What Histogram.observe does for one value, done for many.
        histogram = self._histogram
        counts = [0] * len(histogram._buckets)  # noqa: SLF001
        for value in seconds:
            counts[bisect_left(histogram._upper_bounds, value)] += 1  # noqa: SLF001
        for bucket, count in zip(histogram._buckets, counts, strict=True):  # noqa: SLF001
            if count:
                bucket.inc(count)
        histogram._sum.inc(sum(seconds))  # noqa: SLF001


def _take(noted: deque[T]) -> list[T]:
    """Take what is there by now; more may be appended meanwhile."""
    return [noted.popleft() for _ in range(len(noted))]


def publish() -> None:
    """Add everything noted so far to the metrics."""
    with _publishing:
        for each in _all:
            each.publish()


_publishing = threading.Lock()


class Publisher:
    """Publishes all the time; a `Lifecycle`."""

    def __init__(self) -> None:
        self._background = Background("tallies", self._run)

    def start(self) -> None:
        """Start publishing, once per process."""
        self._background.start()

    def close(self) -> None:
        """Publish what is left, and stop."""
        self._background.close()
        publish()

    def _run(self) -> None:
        while not self._background.wait(PUBLISH_SECONDS):
            publish()
