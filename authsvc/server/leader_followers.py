"""One thread takes requests while the others stand by: leader and followers (POSA 2).

Threads of one interpreter that all take requests hand its lock to each other for
every one of them, which costs more than a review does (tests/benchmarks). So one
thread leads, and takes them all. Another takes its place when it waits: for a
back end, which it says, or for a client's body, which is noticed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from threading import get_ident

from authsvc.background import Background

LOOK_SECONDS = 0.01
# After that much silence of the leader the next thread leads, so that the server
# can end those it no longer needs: it does so with threads that ask for requests.
# Others may ask beside the leader, so it is the leader's own silence that counts: one
# that had ended would else be waited for as long as others are heard.
_SILENCE_SECONDS = 60.0


class LeaderFollowers:
    """Says which of many threads takes the next request; a `Lifecycle`.

    A thread says that it ``took`` a request, that it will ``step_aside`` because
    it waits for a back end, and that it is ``done``, which returns when it is to
    take another one.

    ``stuck`` is called when of all ``threads`` less than ``spare`` are left that
    neither stepped aside nor wait for a body for ``patience`` seconds.
    """

    def __init__(
        self, stuck: Callable[[], None], *, threads: int, spare: int, patience: float
    ) -> None:
        self._stuck = stuck
        self._most_taken = threads - spare
        self._patience = max(1, int(patience / LOOK_SECONDS))
        self._silence = int(_SILENCE_SECONDS / LOOK_SECONDS)
        self._lock = threading.Lock()
        self._leader: int | None = None
        self._standing_by: list[tuple[int, threading.Lock]] = []
        self._reading: dict[int, int] = {}  # when a thread took its request, in looks
        self._aside: set[int] = set()
        self._looks = 0
        self._heard = 0  # when the leader was last heard of
        self._background = Background("leader-followers", self._look)

    def took(self) -> None:
        """Say that this thread has a request."""
        self._reading[get_ident()] = self._looks

    def step_aside(self) -> None:
        """Say that this thread has read its request and will be a while with it."""
        me = get_ident()
        self._reading.pop(me, None)
        self._aside.add(me)
        if me == self._leader:
            self._pass_on(me)

    def done(self) -> None:
        """Say that this thread's request is answered; stand by while another one leads."""
        me = get_ident()
        self._reading.pop(me, None)
        if me == self._leader:
            self._heard = self._looks
            return
        self._aside.discard(me)
        with self._lock:
            if self._leader is None:
                self._lead(me)
                return
            turn = threading.Lock()
            turn.acquire()
            self._standing_by.append((me, turn))
        turn.acquire()

    def start(self) -> None:
        """Start looking for threads that wait for a body, once per process."""
        self._background.start()

    def close(self) -> None:
        """Stop looking."""
        self._background.close()

    def _look(self) -> None:
        while not self._background.wait(LOOK_SECONDS):
            self._looks += 1
            leader = self._leader
            if leader is not None and self._is_silent(leader):
                self._pass_on(leader)
            late = self._late()
            if late and late + len(self._aside) > self._most_taken:
                self._stuck()

    def _late(self) -> int:
        since = self._looks - self._patience
        return sum(took < since for took in tuple(self._reading.values()))

    def _is_silent(self, leader: int) -> bool:
        waits_for_a_body = self._reading.get(leader, self._looks) < self._looks - 1
        return waits_for_a_body or self._heard < self._looks - self._silence

    def _pass_on(self, leader: int) -> None:
        with self._lock:
            if self._leader != leader:
                return
            self._leader = None
            if self._standing_by:
                next_one, turn = self._standing_by.pop()
                self._lead(next_one)
                turn.release()

    def _lead(self, thread: int) -> None:
        self._leader, self._heard = thread, self._looks
