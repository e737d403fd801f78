"""What to change is told by the server's own words, then by what a failure is due to."""

from __future__ import annotations

import pytest

from authsvc.authn.ldap.advice import advice_for
from authsvc.authn.ldap.errors import (
    DirectoryError,
    EntryError,
    Fault,
    RefusedError,
    ServerUnavailableError,
)
from authsvc.errors import BackendError


@pytest.mark.parametrize("fault", Fault)
def test_there_is_advice_for_each_fault(fault: Fault) -> None:
    assert advice_for(DirectoryError("failed", fault))


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (RefusedError(49, "80090308: data 775, v4563", Fault.SERVICE_BIND), "is locked out"),
        (RefusedError(49, "refused", Fault.SERVICE_BIND), "check bind.dn"),
        (RefusedError(8, "refused", Fault.SERVICE_BIND), "check bind"),
        (RefusedError(49, "refused"), "the password is wrong"),
        (RefusedError(32, "refused"), "the base does not exist"),
        (RefusedError(10, "refused"), "referrals are not followed"),
        (TimeoutError("deadline exceeded"), "raise deadline"),
    ],
)
def test_advice_goes_by_the_servers_words_the_fault_and_the_code(
    error: BackendError | TimeoutError, advice: str
) -> None:
    assert advice in advice_for(error)


def test_the_failure_of_a_server_is_seen_through_that_of_the_directory() -> None:
    failure = BackendError("none answered")
    failure.__cause__ = ServerUnavailableError("late", Fault.LATE)

    assert "raise deadline" in advice_for(failure)


@pytest.mark.parametrize("words", ["has no address", "TLS: x", "(49)", "no entry below"])
def test_words_of_our_own_decide_nothing(words: str) -> None:
    """They may be quoted from a name of the directory's."""
    assert not advice_for(EntryError(f"group 'cn={words}' cannot be read"))
