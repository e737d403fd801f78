"""Guessing is slowed: the curve, and the counter of one process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from authsvc.attempts import (
    Curve,
    MemoryAttemptCounter,
    TooManyAttemptsError,
    address_key,
    counted,
    user_key,
)
from authsvc.errors import BackendError


def test_the_default_curve_admits_at_most_seven_guesses_in_fifteen_minutes() -> None:
    curve, now, guesses = Curve(), 0.0, 0

    while now <= 900:
        guesses += 1
        now += curve.wait_after(guesses)

    assert guesses == 7


def test_waits_double_up_to_the_longest() -> None:
    curve = Curve(free=2, first_wait=1, longest_wait=5)

    waits = [curve.wait_after(failures) for failures in range(7)]

    assert waits == [0, 0, 1, 2, 4, 5, 5]
    assert curve.wait_after(10_000) == 5


def test_an_attempt_without_a_verdict_does_not_count() -> None:
    counter = MemoryAttemptCounter(Curve(free=1))

    def directory_is_down() -> None:
        raise BackendError("down")

    for _ in range(5):
        with pytest.raises(BackendError, match="down"):
            counted(counter, "user:a", directory_is_down)


def test_a_refused_attempt_is_not_made_and_says_how_long_to_wait() -> None:
    counter = MemoryAttemptCounter(Curve(free=1, first_wait=30), clock=lambda: 0.0)
    made = []
    assert counted(counter, "user:a", lambda: None) is None

    with pytest.raises(TooManyAttemptsError) as refused:
        counted(counter, "user:a", lambda: made.append(1))

    assert refused.value.retry_after == 30
    assert made == []


def test_a_wait_is_counted_from_the_last_failure_and_a_refusal_is_none() -> None:
    now = [0.0]
    counter = MemoryAttemptCounter(
        Curve(free=1, first_wait=10, longest_wait=15), clock=lambda: now[0]
    )
    assert counter.admit("user:a") == 0

    now[0] = 4.0
    assert [counter.admit("user:a") for _ in range(3)] == [6, 6, 6]
    now[0] = 10.0
    assert counter.admit("user:a") == 0
    assert counter.admit("user:a") == 15
    assert counter.admit("user:b") == 0


def test_failures_are_forgotten_with_time_and_forgiven_by_a_success() -> None:
    now = [0.0]
    curve = Curve(free=2, first_wait=200, longest_wait=200, forget_after=100)
    counter = MemoryAttemptCounter(curve, clock=lambda: now[0])
    counted(counter, "forgiven", lambda: None)
    assert counted(counter, "forgiven", lambda: "me") == "me"
    for key in ("forgiven", "forgiven", "forgotten", "forgotten"):
        assert counter.admit(key) == 0
        assert counter.admit("never seen before " + key) == 0

    now[0] = 99.0
    assert counter.admit("forgiven") > 0
    assert counter.admit("forgotten") > 0
    now[0] = 100.0
    assert [counter.admit("forgotten") for _ in range(3)] == [0, 0, 200]


def test_a_hundred_guesses_at_once_get_no_more_tries_than_in_a_row() -> None:
    counter = MemoryAttemptCounter(Curve(free=3), clock=lambda: 0.0)
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: counter.admit("user:a"), range(100)))

    assert waits.count(0.0) == 3


def test_somebody_with_an_account_of_their_own_cannot_clear_their_address() -> None:
    counter = MemoryAttemptCounter(Curve(free=2), clock=lambda: 0.0)
    counted(counter, "address:a", lambda: None, clears=False)
    counted(counter, "address:a", lambda: "me", clears=False)
    counted(counter, "address:a", lambda: None, clears=False)

    assert counter.admit("address:a") > 0


def test_the_memory_is_bounded_and_the_oldest_key_goes_first() -> None:
    counter = MemoryAttemptCounter(Curve(free=1), max_keys=2, clock=lambda: 0.0)
    for key in ("a", "b", "c"):
        counter.admit(key)

    assert counter.admit("c") > 0
    assert counter.admit("a") == 0


def test_a_key_that_is_guessed_at_again_is_not_the_oldest() -> None:
    counter = MemoryAttemptCounter(Curve(free=2), max_keys=2, clock=lambda: 0.0)
    for key in ("a", "b", "a", "c"):
        assert counter.admit(key) == 0

    assert counter.admit("a") > 0


def test_a_key_that_has_to_wait_outlives_any_number_of_invented_ones() -> None:
    counter = MemoryAttemptCounter(Curve(free=3), max_keys=10, clock=lambda: 0.0)
    for _ in range(3):
        assert counter.admit("alice") == 0

    for number in range(100):
        counter.admit(f"invented {number}")

    assert counter.admit("alice") > 0


def test_invented_keys_that_have_to_wait_leave_room_to_count_at_others() -> None:
    counter = MemoryAttemptCounter(Curve(free=3), max_keys=10, clock=lambda: 0.0)
    for number in range(100):
        for _ in range(3):
            counter.admit(f"invented {number}")

    waits = []
    for number in range(4):
        waits.append(counter.admit("alice"))
        counter.admit(f"once {number}")

    assert waits[:3] == [0, 0, 0]
    assert waits[3] > 0


def test_spellings_that_a_directory_takes_for_one_user_are_one_key() -> None:
    assert user_key("Alice") == user_key(" alice ") == user_key("ＡＬＩＣＥ")
    assert user_key("alice") != user_key("bob")
    assert "alice" not in user_key("alice")


def test_an_ipv6_network_of_one_subscriber_is_one_key() -> None:
    assert address_key("2001:db8::1") == address_key("2001:db8::ffff:1")
    assert address_key("2001:db8::1") != address_key("2001:db8:0:1::1")
    assert address_key("::ffff:192.0.2.7") == address_key("192.0.2.7")
    assert address_key("") == "address:unknown"
