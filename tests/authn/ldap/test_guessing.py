"""Guessing passwords is slowed, then refused, before the directory locks the account."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from authsvc import metrics
from authsvc.attempts import Curve, MemoryAttemptCounter, TooManyAttemptsError
from authsvc.authn.ldap.settings import Security
from authsvc.errors import BackendError
from tests.authn.ldap.conftest import MakeAuthenticator, server
from tests.parts.faulty_proxy import Fault, FaultyProxy
from tests.parts.ldap_people import MAX_FAILURE, PASSWORDS
from tests.parts.slapd import Slapd


def refused() -> float:
    return float(metrics.PASSWORD_ATTEMPTS_REFUSED.labels("ldap")._value.get())


def test_the_account_is_not_locked_by_the_directory_and_others_are_not_slowed(
    make_authenticator: MakeAuthenticator,
) -> None:
    now = [1000.0]
    attempts = MemoryAttemptCounter(Curve(), clock=lambda: now[0])
    authenticator = make_authenticator(attempts)
    before, tried = refused(), 0
    waits: list[float] = []

    with capture_logs() as logs:
        for number in range(60):
            now[0] += 5.0
            # However the name is spelled, it is one account.
            name = ("guarded", "GUARDED", " guarded", "Guarded ")
            try:
                assert authenticator.authenticate_password(name[number % 4], "wrong") is None
                tried += 1
            except TooManyAttemptsError as error:
                waits.append(error.retry_after)

    assert tried < MAX_FAILURE
    assert len(waits) == refused() - before == 60 - tried
    assert max(waits) > waits[0] > 0
    lines = [line for line in logs if line["event"] == "password_attempts_refused"]
    assert len(lines) == 60 - tried
    assert lines[0]["entry"] == "uid=guarded,ou=people,dc=example,dc=org"
    assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) is not None
    now[0] += 3600.0
    # Had the directory locked it, the right password would not be good.
    assert authenticator.authenticate_password("guarded", PASSWORDS["guarded"]) is not None


def test_a_hundred_guesses_at_once_are_no_more_than_in_a_row(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxy = faulty_proxy(slapd.port)
    authenticator = make_authenticator(
        MemoryAttemptCounter(Curve(free=3)), servers=(server(proxy.port, Security.PLAINTEXT),)
    )
    outcomes: list[object] = []

    def guess() -> None:
        try:
            outcomes.append(authenticator.authenticate_password("u0077", "wrong"))
        except TooManyAttemptsError:
            outcomes.append("refused")

    threads = [threading.Thread(target=guess) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count(None) == 3
    assert outcomes.count("refused") == 97


def test_a_refused_attempt_sends_no_bind(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxy = faulty_proxy(slapd.port)
    authenticator = make_authenticator(
        MemoryAttemptCounter(Curve(free=1)), servers=(server(proxy.port, Security.PLAINTEXT),)
    )
    authenticator.authenticate_password("u0078", "wrong")
    proxy.forget()

    with pytest.raises(TooManyAttemptsError):
        authenticator.authenticate_password("u0078", "crowd")

    assert proxy.requests == {"search": 1}


def test_an_unknown_user_is_refused_as_a_known_one_and_not_named_in_the_log(
    make_authenticator: MakeAuthenticator,
) -> None:
    authenticator = make_authenticator(MemoryAttemptCounter(Curve(free=1)))
    authenticator.authenticate_password("hunter2", "wrong")

    with capture_logs() as logs, pytest.raises(TooManyAttemptsError):
        authenticator.authenticate_password("hunter2", "wrong")

    assert "hunter2" not in repr(logs)


def test_an_attempt_that_the_directory_did_not_answer_does_not_count(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxy = faulty_proxy(slapd.tls_port)
    authenticator = make_authenticator(
        MemoryAttemptCounter(Curve(free=1)), servers=(server(proxy.port),), deadline=1.0
    )
    assert authenticator.lookup("bob") is not None  # a connection to search on
    proxy.fault = Fault.REFUSE
    with pytest.raises(BackendError):
        authenticator.authenticate_password("bob", PASSWORDS["bob"])
    proxy.fault = Fault.NONE

    assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) is not None


def test_many_at_once_with_the_right_password_are_not_mistaken_for_guessing(
    make_authenticator: MakeAuthenticator,
) -> None:
    authenticator = make_authenticator(MemoryAttemptCounter(Curve(free=1)))
    answers: list[object] = []

    def log_in() -> None:
        answers.append(authenticator.authenticate_password("bob", PASSWORDS["bob"]))

    threads = [threading.Thread(target=log_in) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 16
    assert None not in answers
