"""What the metrics say of the cache, and what those are told who joined a flight."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import REGISTRY

from authsvc import tallies
from authsvc.authn.cache import CachedTokenAuthenticator
from authsvc.errors import BackendError
from authsvc.interfaces import Identity, UserInfo
from tests.parts.waiting import eventually

ALICE = Identity(UserInfo("alice"))


class Says:
    """Says always the same, or fails always the same, once it may."""

    def __init__(self, answer: Identity | Exception) -> None:
        self.answer = answer
        self.asked = threading.Event()
        self.open = threading.Event()

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:  # noqa: ARG002  whatever the token
        self.asked.set()
        assert self.open.wait(20)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def counts() -> Counter[str]:
    tallies.publish()
    name = "authsvc_token_cache_requests_total"
    return Counter(
        {
            result: int(REGISTRY.get_sample_value(name, {"result": result}) or 0)
            for result in ("hit", "miss", "joined")
        }
    )


def test_each_look_up_is_counted_by_what_came_of_it() -> None:
    back_end = Says(ALICE)
    back_end.open.set()
    cache = CachedTokenAuthenticator(back_end)
    before = counts()

    cache.peek("alice", ())
    for _ in range(3):
        cache.authenticate_token("alice", ())
    for _ in range(3):
        cache.peek("alice", ())

    assert counts() - before == {"miss": 1, "hit": 5}


def test_who_joined_a_flight_that_failed_is_counted_and_told_why_it_failed() -> None:
    back_end = Says(BackendError("no answer from corp"))
    cache = CachedTokenAuthenticator(back_end)
    before = counts()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.authenticate_token, "alice", ())
        assert back_end.asked.wait(20)
        second = pool.submit(cache.authenticate_token, "alice", ())
        eventually(lambda: counts()["joined"] > before["joined"], "the second has joined")
        back_end.open.set()

    for asked in (first, second):
        with pytest.raises(BackendError, match=r"^no answer from corp$"):
            asked.result()
    assert counts() - before == {"miss": 1, "joined": 1}
