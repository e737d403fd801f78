"""What wakes a main process."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from authsvc.server.bell import Bell


@pytest.fixture
def storm() -> Iterator[Bell]:
    """Return a bell that a signal's handler sets ten thousand times a second."""
    bell = Bell()
    before = signal.signal(signal.SIGALRM, lambda *_: bell.set())
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    try:
        yield bell
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.timeout(60)
def test_signals_that_come_upon_it_do_not_lock_it(storm: Bell) -> None:
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        storm.wait(0.001)
        storm.clear()


def test_one_who_waits_is_woken_and_one_who_comes_later_does_not_wait() -> None:
    bell, woken = Bell(), threading.Event()

    def wait() -> None:
        bell.wait(60)
        woken.set()

    threading.Thread(target=wait, daemon=True).start()
    bell.set()
    assert woken.wait(20)
    bell.set()
    bell.wait(60)


def test_what_was_cleared_wakes_nobody() -> None:
    bell, woken = Bell(), threading.Event()
    bell.set()
    bell.set()
    bell.clear()

    def wait() -> None:
        bell.wait(60)
        woken.set()

    threading.Thread(target=wait, daemon=True).start()
    assert not woken.wait(0.2)
    bell.set()
    assert woken.wait(20)
