"""Several servers: which one is asked, and that users do not notice when one dies."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from authsvc.authn.ldap.settings import Security
from authsvc.errors import BackendError
from tests.authn.ldap.conftest import MakeAuthenticator, server, until
from tests.parts.faulty_proxy import Fault, FaultyProxy
from tests.parts.ldap_people import PASSWORDS
from tests.parts.slapd import Slapd, free_port

PLAIN = Security.PLAINTEXT


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.HANG, Fault.RESET_IN_ANSWER, Fault.DRIP])
def test_with_the_first_server_in_trouble_the_second_answers_before_the_deadline(
    make_authenticator: MakeAuthenticator,
    faulty_proxy: Callable[..., FaultyProxy],
    slapd: Slapd,
    fault: Fault,
) -> None:
    first, second = faulty_proxy(slapd.tls_port), faulty_proxy(slapd.tls_port)
    first.fault = fault
    authenticator = make_authenticator(
        servers=(server(first.port), server(second.port)), deadline=2.0
    )

    for _ in range(5):
        assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) is not None
        assert authenticator.authenticate_password("bob", "wrong") is None


def test_with_both_down_it_is_a_failure_and_soon_one_that_costs_no_time(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxies = [faulty_proxy(slapd.port), faulty_proxy(slapd.port)]
    for proxy in proxies:
        proxy.fault = Fault.HANG
    authenticator = make_authenticator(
        servers=tuple(server(proxy.port, PLAIN) for proxy in proxies), deadline=0.2
    )

    for _ in range(3):
        with pytest.raises(BackendError, match=r"in time|took more|no LDAP server answers"):
            authenticator.authenticate_password("bob", PASSWORDS["bob"])

    with pytest.raises(BackendError, match="no LDAP server answers"):
        authenticator.authenticate_password("bob", PASSWORDS["bob"])


def test_invalid_credentials_of_one_server_are_final(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    first, second = faulty_proxy(slapd.port), faulty_proxy(slapd.port)
    authenticator = make_authenticator(
        servers=(server(first.port, PLAIN), server(second.port, PLAIN))
    )

    assert authenticator.authenticate_password("bob", "wrong") is None

    assert first.requests["bind"] == 2  # the service's and bob's
    assert second.connections == 0


def test_a_server_that_comes_back_has_its_place_again(
    make_authenticator: MakeAuthenticator, another_slapd: Callable[..., Slapd], slapd: Slapd
) -> None:
    first = another_slapd()
    first.start()
    authenticator = make_authenticator(servers=(server(first.tls_port), server(slapd.tls_port)))
    bob = authenticator.authenticate_password("bob", PASSWORDS["bob"])

    first.stop()
    assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) == bob
    first.start()
    first.modify("dn: uid=bob,ou=people,dc=example,dc=org\nchangetype: delete\n")

    # Only the first knows that he is gone.
    assert until(lambda: authenticator.lookup("bob") is None)


def test_connections_that_died_are_replaced_without_an_error_to_the_user(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxy = faulty_proxy(slapd.tls_port)
    authenticator = make_authenticator(servers=(server(proxy.port),))

    for _ in range(5):
        assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) is not None
        proxy.cut()
        assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) is not None


def test_a_restarted_server_is_asked_without_an_error_to_the_user(
    make_authenticator: MakeAuthenticator, another_slapd: Callable[..., Slapd]
) -> None:
    only = another_slapd()
    only.start()
    authenticator = make_authenticator(servers=(server(only.tls_port),))
    assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) is not None

    only.stop()
    only.start()

    assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) is not None


def test_connections_that_went_silent_are_replaced_without_an_error_to_the_user(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxy = faulty_proxy(slapd.tls_port)
    authenticator = make_authenticator(servers=(server(proxy.port),), deadline=2.0)
    assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) is not None

    proxy.silence()  # as a firewall that forgot them: no answer, and no reset either

    assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) is not None


def test_connections_are_kept_and_shared(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxy = faulty_proxy(slapd.tls_port)
    authenticator = make_authenticator(servers=(server(proxy.port),))

    for number in range(50):
        assert authenticator.authenticate_password(f"u{number:04}", "crowd") is not None

    assert proxy.connections == 2  # one to search on, one to bind on


def test_an_old_connection_is_not_used_again(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxy = faulty_proxy(slapd.tls_port)
    authenticator = make_authenticator(servers=(server(proxy.port),), pool_idle=0.0)

    authenticator.lookup("bob")
    authenticator.lookup("bob")

    assert proxy.connections >= 2


def test_nothing_is_opened_before_it_is_needed_and_nothing_stays_open_after_close(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxy = faulty_proxy(slapd.tls_port)
    authenticator = make_authenticator(servers=(server(proxy.port),))
    assert proxy.connections == 0

    authenticator.authenticate_password("bob", PASSWORDS["bob"])
    authenticator.close()
    authenticator.close()

    assert until(lambda: proxy.open == 0)


def test_a_dead_first_address_of_a_name_does_not_keep_from_the_second(
    make_authenticator: MakeAuthenticator, slapd: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    from authsvc.authn.ldap import dial

    def two_addresses(*_: object) -> tuple[str, ...]:
        return ("127.0.0.2", "127.0.0.1")

    # The resolver is the one part that a test cannot have for itself.
    monkeypatch.setattr(dial, "resolve", two_addresses)
    authenticator = make_authenticator(servers=(server(slapd.tls_port, host="localhost"),))

    assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) is not None


def test_a_server_that_was_never_there_is_asked_last(
    make_authenticator: MakeAuthenticator, slapd: Slapd
) -> None:
    authenticator = make_authenticator(servers=(server(free_port()), server(slapd.tls_port)))

    for _ in range(3):
        assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) is not None


def test_after_a_close_and_a_start_a_broken_server_is_asked_anew(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxy = faulty_proxy(slapd.tls_port)
    proxy.fault = Fault.REFUSE
    authenticator = make_authenticator(servers=(server(proxy.port),))
    for _ in range(4):
        with pytest.raises(BackendError):
            authenticator.lookup("bob")
    authenticator.close()
    proxy.fault = Fault.NONE

    authenticator.start()

    assert authenticator.lookup("bob") is not None


def test_a_queue_for_connections_does_not_make_the_server_seem_to_fail(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxy = faulty_proxy(slapd.port)
    authenticator = make_authenticator(
        servers=(server(proxy.port, PLAIN),), pool_size=1, deadline=1.0
    )
    assert authenticator.lookup("bob") is not None
    proxy.fault = Fault.DRIP  # who has the connection keeps it to the end
    outcomes: list[str] = []

    def look_up() -> None:
        try:
            authenticator.lookup("bob")
        except BackendError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=look_up) for _ in range(6)]
    with capture_logs() as logs:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    proxy.fault = Fault.NONE

    assert len(outcomes) == 6
    # Not those who waited until there was next to no time left.
    assert [line["event"] for line in logs] == ["ldap_server_failed"]
    assert authenticator.lookup("bob") is not None
