"""What is noted on the path of a request is what the metrics show."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram

from authsvc import tallies
from authsvc.tallies import Publisher, Tally, Timings

_BUCKETS = (0.001, 0.01, 0.1)


def samples(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("le", "")): sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    }


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.0005, 0.001, 0.002, 0.01, 0.05, 0.1, 0.5])))
def test_many_timings_published_at_once_are_as_many_observed_one_by_one(
    seconds: list[float],
) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    timings = Timings(Histogram("x", "x", buckets=_BUCKETS, registry=ours))
    reference = Histogram("x", "x", buckets=_BUCKETS, registry=theirs)
    for value in seconds:
        timings.observe(value)
        reference.observe(value)
    tallies.publish()
    assert samples(ours) == pytest.approx(samples(theirs))


def test_steps_of_many_threads_are_all_counted_once() -> None:
    registry = CollectorRegistry()
    tally = Tally(Counter("x", "x", registry=registry))
    publisher = Publisher()
    publisher.start()

    def count() -> None:
        for _ in range(5_000):
            tally.inc()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    publisher.close()
    assert samples(registry)["x_total", ""] == 20_000


def test_a_publisher_can_be_closed_twice_and_started_again() -> None:
    publisher = Publisher()
    publisher.close()
    publisher.start()
    publisher.start()
    publisher.close()
    publisher.close()
