"""The cache: what is remembered, for how long, of whom; and one flight per token."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from authsvc.authn.cache import CachedTokenAuthenticator, Miss
from authsvc.errors import BackendError
from authsvc.interfaces import Identity, TokenAuthenticator, UserInfo
from tests.parts.waiting import eventually

ALICE = Identity(UserInfo("alice"))


class BackEnd:
    """A back end whose answers a test sets; counts its calls."""

    def __init__(self) -> None:
        self.answers: dict[str, Identity | Exception | None] = {"alice": ALICE}
        self.calls: list[tuple[str, tuple[str, ...]]] = []
        self.open = threading.Event()
        self.open.set()

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        self.calls.append((token, tuple(audiences)))
        assert self.open.wait(20)
        answer = self.answers.get(token)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    """A clock that a test turns."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def back_end() -> BackEnd:
    return BackEnd()


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def wall_clock() -> Clock:
    return Clock(1_700_000_000.0)


@pytest.fixture
def cache(back_end: BackEnd, clock: Clock, wall_clock: Clock) -> CachedTokenAuthenticator:
    return CachedTokenAuthenticator(
        back_end, ttl=60, rejected_ttl=10, size=100, clock=clock, wall_clock=wall_clock
    )


def test_a_verdict_is_asked_for_once(cache: CachedTokenAuthenticator, back_end: BackEnd) -> None:
    for _ in range(3):
        assert cache.authenticate_token("alice", ()) == ALICE
        assert cache.authenticate_token("nobody", ()) is None
    assert len(back_end.calls) == 2


def test_what_is_remembered_is_known_without_asking(
    cache: CachedTokenAuthenticator, back_end: BackEnd
) -> None:
    assert cache.peek("alice", ()) is Miss.MISS
    assert back_end.calls == []
    cache.authenticate_token("alice", ())
    cache.authenticate_token("nobody", ())
    assert cache.peek("alice", ()) == ALICE
    assert cache.peek("nobody", ()) is None


@pytest.mark.parametrize(("token", "ttl"), [("alice", 60), ("nobody", 10)])
def test_a_verdict_ends_with_its_time(
    cache: CachedTokenAuthenticator, clock: Clock, token: str, ttl: float
) -> None:
    cache.authenticate_token(token, ())
    clock.now += ttl - 0.001
    assert cache.peek(token, ()) is not Miss.MISS
    clock.now += 0.001
    assert cache.peek(token, ()) is Miss.MISS


def test_a_verdict_used_again_and_again_still_ends(
    cache: CachedTokenAuthenticator, back_end: BackEnd, clock: Clock
) -> None:
    for _ in range(13):
        cache.authenticate_token("alice", ())
        clock.now += 10
    assert len(back_end.calls) == 3


def test_a_verdict_never_outlives_the_token(
    cache: CachedTokenAuthenticator, back_end: BackEnd, wall_clock: Clock
) -> None:
    back_end.answers["short"] = ALICE._replace(expires_at=wall_clock.now + 5)
    cache.authenticate_token("short", ())
    wall_clock.now += 4.9
    assert cache.peek("short", ()) is not None
    wall_clock.now += 0.1
    assert cache.peek("short", ()) is Miss.MISS


def test_a_token_that_is_over_already_is_not_remembered(
    cache: CachedTokenAuthenticator, back_end: BackEnd, wall_clock: Clock
) -> None:
    back_end.answers["late"] = ALICE._replace(expires_at=wall_clock.now)
    cache.authenticate_token("late", ())
    assert cache.peek("late", ()) is Miss.MISS


def test_a_verdict_for_one_audience_is_none_for_another(
    cache: CachedTokenAuthenticator, back_end: BackEnd
) -> None:
    cache.authenticate_token("alice", ("a",))
    assert cache.peek("alice", ("b",)) is Miss.MISS
    assert cache.peek("alice", ()) is Miss.MISS
    cache.authenticate_token("alice", ("b",))
    assert back_end.calls == [("alice", ("a",)), ("alice", ("b",))]


def test_after_a_new_generation_nothing_of_the_old_is_answered(back_end: BackEnd) -> None:
    generation = [1]
    cache = CachedTokenAuthenticator(back_end, generation=lambda: tuple(generation))
    cache.authenticate_token("alice", ())
    generation[0] = 2
    back_end.answers["alice"] = None
    assert cache.authenticate_token("alice", ()) is None


def test_what_is_withdrawn_is_asked_for_anew(back_end: BackEnd) -> None:
    withdrawn: set[str] = set()
    cache = CachedTokenAuthenticator(
        back_end, withdrawn=lambda identity: identity.user.username in withdrawn
    )
    assert cache.authenticate_token("alice", ()) == ALICE
    withdrawn.add("alice")
    back_end.answers["alice"] = None

    assert cache.peek("alice", ()) is Miss.MISS
    assert cache.authenticate_token("alice", ()) is None
    assert len(back_end.calls) == 2
    assert cache.peek("alice", ()) is None  # nobody can not be withdrawn


def test_an_answer_of_the_old_generation_that_comes_late_is_not_remembered_for_the_new(
    back_end: BackEnd,
) -> None:
    generation = [1]
    cache = CachedTokenAuthenticator(back_end, generation=lambda: tuple(generation))
    back_end.open.clear()
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(cache.authenticate_token, "alice", ())
        eventually(lambda: back_end.calls, "the back end is asked")
        generation[0] = 2
        back_end.open.set()
        assert late.result() == ALICE
    assert cache.peek("alice", ()) is Miss.MISS


@pytest.mark.parametrize("failure", [BackendError("down"), RuntimeError("a fault of ours")])
def test_a_failure_is_passed_on_and_never_remembered(
    cache: CachedTokenAuthenticator, back_end: BackEnd, failure: Exception
) -> None:
    back_end.answers["alice"] = failure
    for _ in range(2):
        with pytest.raises(type(failure)):
            cache.authenticate_token("alice", ())
    back_end.answers["alice"] = ALICE
    assert cache.authenticate_token("alice", ()) == ALICE
    assert len(back_end.calls) == 3


def together(
    cache: CachedTokenAuthenticator, back_end: BackEnd, number: int
) -> list[Identity | BaseException | None]:
    """Ask for one token from many threads, of which one flies and the others have joined it."""
    back_end.open.clear()
    answers: list[Identity | BaseException | None] = []

    def ask() -> None:
        try:
            answers.append(cache.authenticate_token("alice", ()))
        except BaseException as error:  # noqa: BLE001  all of them are looked at
            answers.append(error)

    threads = [threading.Thread(target=ask) for _ in range(number)]
    for thread in threads:
        thread.start()
    eventually(lambda: back_end.calls, "the back end is asked")
    back_end.open.set()
    for thread in threads:
        thread.join()
    return answers


def test_fifty_equal_tokens_at_once_are_one_call(
    cache: CachedTokenAuthenticator, back_end: BackEnd
) -> None:
    assert together(cache, back_end, 50) == [ALICE] * 50
    assert len(back_end.calls) == 1


class Landing(BackEnd):
    """Answers only once everybody has joined, so that there are those who join."""

    def __init__(self, joined: Callable[[], bool]) -> None:
        super().__init__()
        self._joined = joined

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        self.calls.append((token, tuple(audiences)))
        eventually(self._joined, "the others have joined")
        raise RuntimeError(f"cannot read {token}")


def test_who_joined_a_flight_that_crashed_gets_a_failure_that_quotes_nothing() -> None:
    count = [0]

    def generation() -> int:
        # Asked for by each who comes, before they fly or join.
        count[0] += 1
        return 0

    back_end = Landing(lambda: count[0] == 3)
    cache = CachedTokenAuthenticator(back_end, generation=generation)
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            cache.authenticate_token("canary", ())
        except Exception as error:  # noqa: BLE001  whatever it is, it is looked at
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    joined = [error for error in errors if isinstance(error, BackendError)]
    assert len(errors) == 3
    assert len(errors) - len(joined) == len(back_end.calls)
    assert not any("canary" in str(error) for error in joined)


class Ends:
    """Ends the thread that asks it."""

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        raise SystemExit(f"{token} {audiences}")


def test_even_the_end_of_a_thread_lets_the_next_ask() -> None:
    cache = CachedTokenAuthenticator(Ends())
    for _ in range(2):
        with pytest.raises(SystemExit):
            cache.authenticate_token("alice", ())


def test_different_tokens_do_not_wait_for_each_other(
    cache: CachedTokenAuthenticator, back_end: BackEnd
) -> None:
    cache.authenticate_token("alice", ())
    back_end.open.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(cache.authenticate_token, "slow", ())
        eventually(lambda: len(back_end.calls) == 2, "the slow one is asked for")
        assert cache.authenticate_token("alice", ()) == ALICE
        assert cache.peek("alice", ()) == ALICE
        back_end.open.set()
        assert slow.result() is None


def test_what_is_kept_of_a_token_is_of_no_use_in_another_process(back_end: BackEnd) -> None:
    one, other = CachedTokenAuthenticator(back_end), CachedTokenAuthenticator(back_end)

    assert one._key_of("alice", ()) == one._key_of("alice", ())
    assert one._key_of("alice", ()) != other._key_of("alice", ())


def test_the_least_recently_used_leave_first(back_end: BackEnd) -> None:
    cache = CachedTokenAuthenticator(back_end, size=2)
    cache.authenticate_token("a", ())
    cache.authenticate_token("b", ())
    cache.authenticate_token("a", ())
    cache.authenticate_token("c", ())
    assert cache.peek("b", ()) is Miss.MISS
    assert cache.peek("a", ()) is not Miss.MISS
    assert cache.peek("c", ()) is not Miss.MISS


@pytest.mark.parametrize("settings", [{"size": 0}, {"ttl": 0}])
def test_a_cache_that_is_off_keeps_nothing(back_end: BackEnd, settings: dict[str, int]) -> None:
    ttl, size = settings.get("ttl", 60), settings.get("size", 10)
    cache = CachedTokenAuthenticator(back_end, ttl=ttl, size=size)
    cache.authenticate_token("alice", ())
    assert cache.peek("alice", ()) is Miss.MISS


def test_users_asked_for_all_at_once_never_mix(back_end: BackEnd) -> None:
    for name in ("a", "b"):
        back_end.answers[name] = Identity(UserInfo(name))
    cache = CachedTokenAuthenticator(back_end, size=1)  # so that they push each other out
    with ThreadPoolExecutor(16) as pool:
        names = ["a", "b"] * 200
        answers = pool.map(lambda name: cache.authenticate_token(name, ()), names)
        assert [answer and answer.user.username for answer in answers] == names


class CacheAgainstModel(RuleBasedStateMachine):
    """Against a model without a cache: never an answer that was not true within its time."""

    @initialize()
    def begin(self) -> None:
        self.clock, self.wall_clock = Clock(0.0), Clock(1_000_000.0)
        self.generation = 0
        self.back_end = BackEnd()
        # When each answer of the back end held: token -> (said at, generation, answer).
        self.said: dict[tuple[str, tuple[str, ...]], tuple[float, int, Identity | None]] = {}
        self.cache: TokenAuthenticator = CachedTokenAuthenticator(
            self.back_end,
            ttl=60,
            rejected_ttl=10,
            size=3,
            generation=lambda: self.generation,
            clock=self.clock,
            wall_clock=self.wall_clock,
        )

    @rule(token=st.sampled_from("abcdef"), lifetime=st.none() | st.integers(0, 120))
    def known(self, token: str, lifetime: int | None) -> None:
        ends = None if lifetime is None else self.wall_clock.now + lifetime
        self.back_end.answers[token] = Identity(UserInfo(token), expires_at=ends)

    @rule(token=st.sampled_from("abcdef"))
    def gone(self, token: str) -> None:
        self.back_end.answers[token] = None

    @rule(token=st.sampled_from("abcdef"))
    def failing(self, token: str) -> None:
        self.back_end.answers[token] = BackendError("down")

    @rule(seconds=st.sampled_from([0.5, 5.0, 9.5, 10.0, 30.0, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds
        self.wall_clock.now += seconds

    @rule()
    def reload(self) -> None:
        self.generation += 1

    @rule(token=st.sampled_from("abcdef"), audiences=st.sampled_from([(), ("x",)]))
    def ask(self, token: str, audiences: tuple[str, ...]) -> None:
        before = len(self.back_end.calls)
        try:
            answer = self.cache.authenticate_token(token, audiences)
        except BackendError:
            assert isinstance(self.back_end.answers[token], BackendError)
            return
        key = (token, audiences)
        if len(self.back_end.calls) > before:
            assert answer == self.back_end.answers.get(token)
            self.said[key] = (self.clock.now, self.generation, answer)
            return
        said_at, generation, said = self.said[key]
        assert answer == said
        assert generation == self.generation
        assert self.clock.now - said_at < (10 if said is None else 60)
        if said is not None and said.expires_at is not None:
            assert self.wall_clock.now < said.expires_at


TestCacheAgainstModel = CacheAgainstModel.TestCase
