"""Whose turn it is: a pool of threads, as a server has one, that take requests from a queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

import pytest

from authsvc.server import leader_followers
from authsvc.server.leader_followers import LOOK_SECONDS, LeaderFollowers
from tests.parts.waiting import eventually

Request = Callable[[], object]

THREADS = 8


class Pool:
    """Threads that ask for requests whenever it is their turn."""

    def __init__(self, rules: LeaderFollowers) -> None:
        self.rules = rules
        self.answered: list[int] = []
        self._requests: SimpleQueue[Request | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(THREADS)]

    def ask(self, request: Request = lambda: None) -> None:
        self._requests.put(request)

    def ask_back_end(self, answers: threading.Event) -> None:
        """Ask what waits for a back end, which a thread says."""

        def slow() -> None:
            self.rules.step_aside()
            assert answers.wait(20)

        self.ask(slow)

    def settle(self) -> int:
        """Ask until every thread but one stands by; returns that one."""
        at_once = threading.Barrier(THREADS)
        for thread in self._threads:
            thread.start()
        for _ in self._threads:
            self.ask(at_once.wait)
        eventually(lambda: len(self.answered) == THREADS, "each thread has had a request")
        self.ask()
        eventually(lambda: len(self.answered) == THREADS + 1, "one goes on")
        return self.answered[-1]

    def _run(self) -> None:
        while (request := self._requests.get()) is not None:
            self.rules.took()
            request()
            self.answered.append(threading.get_ident())
            self.rules.done()


@contextmanager
def running(
    *, stuck: Callable[[], None] = lambda: None, spare: int = 0, patience: float = 60
) -> Iterator[Pool]:
    rules = LeaderFollowers(stuck, threads=THREADS, spare=spare, patience=patience)
    rules.start()
    try:
        yield Pool(rules)
    finally:
        rules.close()


def test_one_thread_takes_all_requests() -> None:
    with running() as pool:
        leader = pool.settle()
        for _ in range(1000):
            pool.ask()
        eventually(lambda: len(pool.answered) == THREADS + 1001, "all are answered")
        assert set(pool.answered[THREADS:]) == {leader}


def test_another_leads_while_a_thread_waits_for_a_back_end() -> None:
    answers = threading.Event()
    with running() as pool:
        leader = pool.settle()
        seen = len(pool.answered)
        pool.ask_back_end(answers)
        for _ in range(10):
            pool.ask()
        eventually(lambda: len(pool.answered) == seen + 10, "the others are answered")
        assert len(set(pool.answered[seen:])) == 1
        assert leader not in pool.answered[seen:]
        answers.set()
        eventually(lambda: pool.answered[-1] == leader, "and so is the slow one")


def test_another_leads_while_a_thread_waits_for_a_body() -> None:
    comes = threading.Event()
    with running() as pool:
        leader = pool.settle()
        seen = len(pool.answered)
        pool.ask(lambda: comes.wait(20))
        pool.ask()
        eventually(lambda: len(pool.answered) == seen + 1, "the next is answered")
        assert pool.answered[-1] != leader
        comes.set()
        eventually(lambda: pool.answered[-1] == leader, "and so is the late one")


def test_all_are_answered_when_every_thread_but_one_waits_and_comes_back() -> None:
    answers = threading.Event()
    with running() as pool:
        pool.settle()
        for _ in range(THREADS - 1):
            pool.ask_back_end(answers)
        for _ in range(100):
            pool.ask()
        eventually(lambda: len(pool.answered) == THREADS + 101, "the last thread answers")
        answers.set()
        eventually(lambda: len(pool.answered) == THREADS * 2 + 100, "the others come back")
        for _ in range(100):
            pool.ask()
        eventually(lambda: len(pool.answered) == THREADS * 2 + 200, "and one leads")


def test_after_a_silence_the_next_thread_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader_followers, "_SILENCE_SECONDS", 5 * LOOK_SECONDS)
    with running() as pool:
        pool.settle()
        # Each silence lets one more thread ask for requests, which is how a pool ends them.
        time.sleep(20 * LOOK_SECONDS)
        at_once = threading.Barrier(2)
        for _ in range(2):
            pool.ask(at_once.wait)
        eventually(lambda: len(pool.answered) == THREADS + 3, "two threads have taken one each")


@pytest.mark.parametrize(("late", "told"), [(2, False), (3, True)])
def test_it_is_told_when_too_many_bodies_do_not_come(*, late: int, told: bool) -> None:
    comes, stuck = threading.Event(), threading.Event()
    with running(stuck=stuck.set, spare=THREADS - 2, patience=5 * LOOK_SECONDS) as pool:
        pool.settle()
        for _ in range(late):
            pool.ask(lambda: comes.wait(20))
        assert stuck.wait(20 if told else 50 * LOOK_SECONDS) is told
        comes.set()


def test_threads_that_wait_for_a_back_end_are_not_there_for_bodies() -> None:
    answers, stuck = threading.Event(), threading.Event()
    with running(stuck=stuck.set, spare=THREADS - 2, patience=5 * LOOK_SECONDS) as pool:
        pool.settle()
        for _ in range(2):
            pool.ask_back_end(answers)
        pool.ask(lambda: answers.wait(20))
        assert stuck.wait(20)
        answers.set()


def test_a_wait_for_a_back_end_is_not_one_for_a_body() -> None:
    answers, stuck = threading.Event(), threading.Event()
    with running(stuck=stuck.set, spare=THREADS - 2, patience=5 * LOOK_SECONDS) as pool:
        pool.settle()
        for _ in range(3):
            pool.ask_back_end(answers)
        assert not stuck.wait(50 * LOOK_SECONDS)
        answers.set()


def test_a_leader_that_ended_is_not_waited_for_however_many_others_are_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leader_followers, "_SILENCE_SECONDS", 5 * LOOK_SECONDS)
    rules = LeaderFollowers(lambda: None, threads=THREADS, spare=0, patience=60)
    rules.start()
    requests: SimpleQueue[None] = SimpleQueue()
    ended: SimpleQueue[int] = SimpleQueue()

    def lead_once() -> None:
        requests.get()
        rules.took()
        rules.done()
        ended.put(threading.get_ident())

    # All run before one ends: a thread is known by a number that is used again.
    threads = [threading.Thread(target=lead_once, daemon=True) for _ in range(50)]
    for thread in threads:
        thread.start()
    requests.put(None)
    first = ended.get(timeout=20)
    for _ in threads[1:]:
        requests.put(None)
        time.sleep(2 * LOOK_SECONDS)  # never silent
    assert ended.get_nowait() != first
    rules.close()
