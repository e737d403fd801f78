"""Names are resolved before a deadline, whatever the system's resolver does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from authsvc.authn import deadline
from authsvc.authn.deadline import Deadline, resolve
from authsvc.authn.http import HTTPClient
from authsvc.authn.http_settings import HTTPSettings
from authsvc.authn.ldap.dial import Dialler, Trust
from authsvc.authn.ldap.errors import ServerUnavailableError
from authsvc.authn.ldap.settings import TLS, Server
from authsvc.errors import BackendError
from tests.parts.waiting import eventually

GRACE = 3.0  # what a busy test machine may add


class HangingResolver:
    """A resolver that answers no question until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked: list[str] = []

    def getaddrinfo(self, host: str, port: object, **_: object) -> list[Any]:  # noqa: ARG002
        self.asked.append(host)
        self.released.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0))]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingResolver]:
    hanging = HangingResolver()
    monkeypatch.setattr(deadline, "_lookups", deadline._Lookups())
    monkeypatch.setattr(socket, "getaddrinfo", hanging.getaddrinfo)
    yield hanging
    hanging.released.set()
    eventually(lambda: not lookups(), "the look-ups have ended")


def lookups() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("resolve-")]


def test_an_address_needs_no_resolver(resolver: HangingResolver) -> None:
    assert resolve("2001:db8::1", Deadline(0.0)) == ("2001:db8::1",)
    assert resolver.asked == []


def test_a_provider_whose_name_is_not_resolved_is_a_failure_in_time(
    resolver: HangingResolver,
) -> None:
    client = HTTPClient(HTTPSettings(timeout=0.2), "test")
    start = time.monotonic()

    with pytest.raises(BackendError, match=r"provider\.test/keys: no answer in time"):
        client.get("https://provider.test/keys")

    assert time.monotonic() - start < 0.2 + GRACE
    assert resolver.asked == ["provider.test"]


def test_all_who_want_a_name_wait_for_one_thread(resolver: HangingResolver) -> None:
    for _ in range(20):
        with pytest.raises(TimeoutError, match="resolver"):
            resolve("provider.test", Deadline(0.01))
    assert len(lookups()) == 1

    resolver.released.set()

    assert resolve("provider.test", Deadline(GRACE)) == ("192.0.2.7",)


def test_a_look_up_that_is_stuck_is_left_behind_for_a_new_one(
    resolver: HangingResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "STUCK_SECONDS", 0.0)
    with pytest.raises(TimeoutError):
        resolve("provider.test", Deadline(0.01))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("192.0.2.8", 0))])

    assert resolve("provider.test", Deadline(GRACE)) == ("192.0.2.8",)
    assert len(lookups()) == 1
    resolver.released.set()


def test_look_ups_that_hang_are_bounded_in_number(
    resolver: HangingResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "MAX_LOOKUPS", 3)
    for number in range(10):
        with pytest.raises(TimeoutError):
            resolve(f"host{number}.test", Deadline(0.01))
    assert len(resolver.asked) == len(lookups()) == 3

    resolver.released.set()
    eventually(lambda: not lookups(), "the look-ups have ended")

    assert resolve("host9.test", Deadline(GRACE)) == ("192.0.2.7",)


def test_a_name_without_an_address_is_no_timeout(
    resolver: HangingResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(OSError, match="not known") as failure:
        resolve("nowhere.test", Deadline(GRACE))
    assert not isinstance(failure.value, TimeoutError)
    assert resolver.asked == []


class TestDirectoryServer:
    @pytest.fixture
    def dialler(self) -> Dialler:
        return Dialler(Server(host="ldap.test", port=636), Trust(TLS()))

    def test_whose_name_is_not_resolved_is_a_failure_in_time(
        self, resolver: HangingResolver, dialler: Dialler
    ) -> None:
        with pytest.raises(ServerUnavailableError, match=r"ldap\.test:636: resolve: .*in time"):
            dialler.dial(Deadline(0.1))
        assert resolver.asked == ["ldap.test"]

    def test_keeps_its_last_known_addresses_and_time_to_use_them(
        self, resolver: HangingResolver, dialler: Dialler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        resolver.released.set()
        known = dialler.resolve(Deadline(GRACE))
        resolver.released.clear()
        monkeypatch.setattr("authsvc.authn.ldap.dial.ADDRESS_SECONDS", 0.0)
        until = Deadline(0.4)

        assert dialler.resolve(until) == known == ("192.0.2.7",)
        assert until.left() > 0
