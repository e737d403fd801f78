"""Servers from DNS SRV records, against a DNS server on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from authsvc.authn.deadline import Deadline
from authsvc.authn.ldap import srv
from authsvc.authn.ldap.settings import SRV, Security, Server
from authsvc.authn.ldap.srv import ServiceRecords
from authsvc.errors import BackendError
from tests.authn.ldap.conftest import MakeAuthenticator, until
from tests.parts.faulty_proxy import FaultyProxy
from tests.parts.ldap_people import PASSWORDS
from tests.parts.slapd import Slapd

NAME = "_ldap._tcp.localhost"


class NameServer:
    """Answers SRV questions with ``records`` over UDP; with nothing at all while ``silent``."""

    def __init__(self) -> None:
        self.records: list[str] = []
        self.questions = 0
        self.silent = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._socket.getsockname())
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        host, _, port = self.address.partition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", (host, int(port)))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, client = self._socket.recvfrom(4096)
            if not data:
                return
            self.questions += 1
            if self.silent:
                continue
            answer = dns.message.make_response(dns.message.from_wire(data))
            answer.flags |= dns.flags.RA
            name = answer.question[0].name
            if self.records:
                answer.answer.append(dns.rrset.from_text(name, 300, "IN", "SRV", *self.records))
            self._socket.sendto(answer.to_wire(), client)


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.close()


def hosts(records: ServiceRecords) -> list[str]:
    return [server.host for server in records.servers(Deadline(2))]


def test_users_log_in_at_the_servers_that_dns_names(
    make_authenticator: MakeAuthenticator, name_server: NameServer, slapd: Slapd
) -> None:
    name_server.records = [f"10 0 {slapd.tls_port} localhost.", "0 0 9 localhost."]
    authenticator = make_authenticator(
        servers=SRV(name=NAME, security=Security.LDAPS, nameservers=(name_server.address,))
    )

    for _ in range(3):
        assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) is not None
    assert name_server.questions == 1


def test_lower_priorities_come_first_and_the_port_may_be_replaced(name_server: NameServer) -> None:
    name_server.records = ["20 0 389 c.localhost.", "0 0 389 a.localhost.", "10 0 1 b.localhost."]
    records = ServiceRecords(SRV(name=NAME, port=636, nameservers=(name_server.address,)))

    servers = records.servers(Deadline(2))

    assert [server.host for server in servers] == ["a.localhost", "b.localhost", "c.localhost"]
    assert servers[0] == Server(host="a.localhost", port=636, security=Security.START_TLS)


def test_of_one_priority_a_weight_of_zero_comes_last(name_server: NameServer) -> None:
    name_server.records = ["0 0 389 never.localhost.", "0 5 389 first.localhost."]

    for _ in range(5):
        records = ServiceRecords(SRV(name=NAME, nameservers=(name_server.address,)))
        assert hosts(records) == ["first.localhost", "never.localhost"]


def test_a_server_outside_of_the_domain_is_not_asked(name_server: NameServer) -> None:
    name_server.records = ["0 0 636 evil.example.", "0 0 636 xlocalhost.", "9 0 636 dc.LOCALHOST."]
    records = ServiceRecords(SRV(name=NAME, nameservers=(name_server.address,)))

    assert hosts(records) == ["dc.LOCALHOST"]


@pytest.mark.parametrize("trouble", ["nothing", "silent", "evil"])
def test_without_a_usable_answer_it_is_a_failure_in_time(
    name_server: NameServer, trouble: str
) -> None:
    name_server.silent = trouble == "silent"
    name_server.records = ["0 0 636 evil.example."] if trouble == "evil" else []
    records = ServiceRecords(SRV(name=NAME, nameservers=(name_server.address,)))

    with pytest.raises(BackendError, match=f"DNS has no servers for {NAME}"):
        records.servers(Deadline(0.5))


def test_the_last_known_servers_stay_while_dns_fails(
    name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(srv, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr(srv, "_MOST_SECONDS", 0.0)
    name_server.records = ["0 0 636 dc.localhost."]
    records = ServiceRecords(SRV(name=NAME, nameservers=(name_server.address,)))
    assert hosts(records) == ["dc.localhost"]

    name_server.records = []

    assert hosts(records) == ["dc.localhost"]
    assert name_server.questions == 2


def test_a_server_that_dns_no_longer_names_is_left(
    make_authenticator: MakeAuthenticator,
    name_server: NameServer,
    faulty_proxy: Callable[..., FaultyProxy],
    slapd: Slapd,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(srv, "_LEAST_SECONDS", 0.0)
    monkeypatch.setattr(srv, "_MOST_SECONDS", 0.0)
    proxy = faulty_proxy(slapd.tls_port)
    name_server.records = [f"0 0 {proxy.port} localhost."]
    authenticator = make_authenticator(
        servers=SRV(name=NAME, security=Security.LDAPS, nameservers=(name_server.address,))
    )
    assert authenticator.lookup("bob") is not None

    name_server.records = [f"0 0 {slapd.tls_port} localhost."]

    assert authenticator.lookup("bob") is not None
    assert proxy.connections == 1
    assert until(lambda: proxy.open == 0)
