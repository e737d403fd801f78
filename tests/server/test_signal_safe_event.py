"""What wakes a main process."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from authsvc.server.signal_safe_event import SignalSafeEvent


@pytest.fixture
def storm() -> Iterator[SignalSafeEvent]:
    """Return an event that a signal's handler sets ten thousand times a second."""
    event = SignalSafeEvent()
    before = signal.signal(signal.SIGALRM, lambda *_: event.set())
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    try:
        yield event
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.timeout(60)
def test_signals_that_come_upon_it_do_not_lock_it(storm: SignalSafeEvent) -> None:
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        storm.wait(0.001)
        storm.clear()


def test_one_who_waits_is_woken_and_one_who_comes_later_does_not_wait() -> None:
    event, woken = SignalSafeEvent(), threading.Event()

    def wait() -> None:
        event.wait(60)
        woken.set()

    threading.Thread(target=wait, daemon=True).start()
    event.set()
    assert woken.wait(20)
    event.set()
    event.wait(60)


def test_what_was_cleared_wakes_nobody() -> None:
    event, woken = SignalSafeEvent(), threading.Event()
    event.set()
    event.set()
    event.clear()

    def wait() -> None:
        event.wait(60)
        woken.set()

    threading.Thread(target=wait, daemon=True).start()
    assert not woken.wait(0.2)
    event.set()
    assert woken.wait(20)
