"""A directory that cannot answer is a failure, before the deadline, and never anything worse."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from authsvc.authn.ldap.errors import RefusedError
from authsvc.authn.ldap.settings import TLS, ExternalBind, Security, UserTemplate
from authsvc.errors import BackendError
from tests.authn.ldap.conftest import MakeAuthenticator, server
from tests.parts.faulty_proxy import Fault, FaultyProxy
from tests.parts.ldap_authority import LDAPAuthority
from tests.parts.ldap_people import PASSWORDS, PEOPLE
from tests.parts.slapd import Slapd, free_port

DEADLINE = 1.5  # a login has to be done in it as well, on a machine that is busy
GRACE = 3.0  # what a busy test machine may add; a missed deadline would be far longer


@contextmanager
def fails_in_time(match: str) -> Iterator[None]:
    start = time.monotonic()
    with pytest.raises(BackendError, match=match):
        yield
    assert time.monotonic() - start < DEADLINE + GRACE


@pytest.fixture
def bob_at(make_authenticator: MakeAuthenticator) -> Callable[..., object]:
    """Give a function that lets bob log in at a server that has its troubles."""

    def log_in(port: int, security: Security = Security.LDAPS, **changes: object) -> object:
        authenticator = make_authenticator(
            **{"servers": (server(port, security),), "deadline": DEADLINE, **changes}
        )
        return authenticator.authenticate_password("bob", PASSWORDS["bob"])

    return log_in


TROUBLES = [Fault.HANG, Fault.RESET_IN_ANSWER, Fault.DRIP, Fault.GARBAGE]
SECURE = [Security.LDAPS, Security.START_TLS, Security.PLAINTEXT]


def target(slapd: Slapd, security: Security) -> int:
    return slapd.tls_port if security is Security.LDAPS else slapd.port


@pytest.mark.parametrize("security", SECURE)
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault.REFUSE, "[Bb]roke|reset|closed|eof"),
        (Fault.HANG, "no answer in time|took more"),
        (Fault.RESET_IN_ANSWER, "broke|reset|eof"),
        (Fault.DRIP, "no answer in time|took more"),
        (Fault.GARBAGE, "broke|wrong version|record|in time|took more"),
    ],
)
def test_a_server_in_trouble_is_a_failure_before_the_deadline(
    bob_at: Callable[..., object],
    faulty_proxy: Callable[..., FaultyProxy],
    slapd: Slapd,
    security: Security,
    fault: Fault,
    message: str,
) -> None:
    proxy = faulty_proxy(target(slapd, security))
    proxy.fault = fault

    with fails_in_time(message):
        bob_at(proxy.port, security)


@pytest.mark.parametrize("security", SECURE)
@pytest.mark.parametrize("fault", TROUBLES)
def test_trouble_that_begins_on_kept_connections_is_a_failure_before_the_deadline(
    make_authenticator: MakeAuthenticator,
    faulty_proxy: Callable[..., FaultyProxy],
    slapd: Slapd,
    security: Security,
    fault: Fault,
) -> None:
    proxy = faulty_proxy(target(slapd, security))
    authenticator = make_authenticator(servers=(server(proxy.port, security),), deadline=DEADLINE)
    assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) is not None
    proxy.fault = fault

    with fails_in_time(r"in time|took more|broke|reset|eof|wrong version|record|no LDAP server"):
        authenticator.authenticate_password("bob", PASSWORDS["bob"])


def test_a_port_where_nobody_listens_is_a_failure(bob_at: Callable[..., object]) -> None:
    with fails_in_time("connection refused"):
        bob_at(free_port())


def test_a_name_without_an_address_is_a_failure(bob_at: Callable[..., object]) -> None:
    servers = (server(636, host="ldap.invalid"),)

    with fails_in_time("has no address|resolver|took more"):
        bob_at(0, servers=servers)


@pytest.mark.parametrize("security", [Security.LDAPS, Security.START_TLS])
class TestTLS:
    def test_a_certificate_of_another_authority_is_refused(
        self,
        bob_at: Callable[..., object],
        ldap_authority: LDAPAuthority,
        slapd: Slapd,
        security: Security,
    ) -> None:
        trust = TLS(ca_file=ldap_authority.stranger.certificate)

        with fails_in_time("certificate not accepted"):
            bob_at(target(slapd, security), security, tls=trust)

    def test_a_certificate_of_the_right_authority_for_another_host_is_refused(
        self,
        bob_at: Callable[..., object],
        faulty_proxy: Callable[..., FaultyProxy],
        another_slapd: Callable[..., Slapd],
        ldap_authority: LDAPAuthority,
        security: Security,
    ) -> None:
        elsewhere = another_slapd(ldap_authority.elsewhere)
        elsewhere.start()
        proxy = faulty_proxy(target(elsewhere, security))

        for host in ("127.0.0.1", "localhost"):
            with fails_in_time(f"certificate not accepted for {host}: .*(mismatch|not valid for)"):
                bob_at(0, servers=(server(proxy.port, security, host),))
        assert proxy.requests["bind"] == 0

    def test_a_certificate_may_be_for_a_name_or_for_an_address(
        self, bob_at: Callable[..., object], slapd: Slapd, security: Security
    ) -> None:
        for host in ("127.0.0.1", "localhost"):
            assert bob_at(0, servers=(server(target(slapd, security), security, host),))

    def test_without_an_authority_of_its_own_the_systems_are_trusted_and_no_other(
        self, bob_at: Callable[..., object], slapd: Slapd, security: Security
    ) -> None:
        with fails_in_time("certificate not accepted"):
            bob_at(target(slapd, security), security, tls=TLS())


def test_a_server_that_refuses_start_tls_gets_no_password(
    bob_at: Callable[..., object],
    faulty_proxy: Callable[..., FaultyProxy],
    another_slapd: Callable[..., Slapd],
) -> None:
    without = another_slapd()
    text = without.configuration.read_text()
    without.configuration.write_text(
        "\n".join(line for line in text.splitlines() if not line.startswith("TLS"))
    )
    without.start(tls=False)
    proxy = faulty_proxy(without.port)

    with fails_in_time("StartTLS refused"):
        bob_at(proxy.port, Security.START_TLS)
    assert proxy.requests == {"extended": 1}


def test_a_certificate_of_ours_is_shown_and_binds_the_service(
    bob_at: Callable[..., object], ldap_authority: LDAPAuthority, slapd: Slapd
) -> None:
    ours = TLS(
        ca_file=ldap_authority.certificate,
        certificate_file=ldap_authority.client.certificate,
        key_file=ldap_authority.client.key,
    )

    for security in (Security.LDAPS, Security.START_TLS):
        assert bob_at(target(slapd, security), security, tls=ours, bind=ExternalBind())


def test_sasl_external_without_a_certificate_is_a_failure(
    bob_at: Callable[..., object], slapd: Slapd
) -> None:
    with fails_in_time("bind of the service"):
        bob_at(slapd.tls_port, bind=ExternalBind())


def test_a_missing_authority_file_is_a_failure(bob_at: Callable[..., object], slapd: Slapd) -> None:
    with fails_in_time("TLS files"):
        bob_at(slapd.tls_port, tls=TLS(ca_file=slapd.folder / "missing"))


def test_a_referral_is_not_followed(make_authenticator: MakeAuthenticator, slapd: Slapd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as thief:
        thief.settimeout(0.3)
        port = thief.getsockname()[1]
        slapd.modify(
            f"dn: uid=moved,{PEOPLE}\nchangetype: modify\nreplace: ref\n"
            f"ref: ldap://127.0.0.1:{port}/uid=moved,{PEOPLE}\n",
            manage_dsa_it=True,
        )
        by_search = make_authenticator()
        by_template = make_authenticator(user=UserTemplate(dn=f"uid={{username}},{PEOPLE}"))

        assert by_search.authenticate_password("moved", "secret") is None
        with pytest.raises(RefusedError, match="referral"):
            by_template.authenticate_password("moved", "secret")
        with pytest.raises(TimeoutError):
            thief.accept()


def test_more_threads_than_connections_wait_for_one(
    make_authenticator: MakeAuthenticator, slapd: Slapd
) -> None:
    authenticator = make_authenticator(servers=(server(slapd.tls_port),), pool_size=2)
    answers: list[object] = []

    def log_in(number: int) -> None:
        answers.append(authenticator.authenticate_password(f"u{number:04}", "crowd"))

    threads = [threading.Thread(target=log_in, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == 16
    assert None not in answers


def test_many_threads_never_mix_two_users(make_authenticator: MakeAuthenticator) -> None:
    authenticator = make_authenticator()
    mixed: list[object] = []

    def log_in(number: int) -> None:
        for _ in range(10):
            user = authenticator.authenticate_password(f"u{number:04}", "crowd")
            if user is None or user.username != f"u{number:04}":
                mixed.append(user)
            if authenticator.authenticate_password(f"u{number:04}", "wrong") is not None:
                mixed.append(number)

    threads = [threading.Thread(target=log_in, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert mixed == []
