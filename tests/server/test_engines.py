"""What holds whichever engine carries the requests: gunicorn or Granian."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import socket
import ssl
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from authsvc.bootstrap import initialise
from authsvc.config import load
from authsvc.errors import InvalidConfigurationError
from authsvc.webhook.reviews import BEGINNING
from tests.integration.reviews import ENDPOINTS, is_granted, review
from tests.parts import https
from tests.parts.authsvc_server import AuthsvcServer
from tests.parts.waiting import eventually
from tests.server.served import Served


def grants_all(server: Served) -> bool:
    return all(is_granted(server.post(path, review(path))) for path in ENDPOINTS)


def test_reviews_are_for_holders_of_a_certificate(server: Served) -> None:
    assert grants_all(server)
    with contextlib.suppress(ssl.SSLError), server.connect() as connection:
        assert connection.post("/authorize", review("/authorize")).status == 401
    eventually(lambda: server.decisions != [], "decisions are logged")


def test_a_body_without_a_length_is_read_and_one_that_is_too_large_is_not(server: Served) -> None:
    body = https.encode(review("/authorize"))
    head = https.head("POST", "/authorize", [("Host", "x"), ("Transfer-Encoding", "chunked")])
    with server.connect_as_api_server() as connection:
        connection.send(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        assert is_granted(connection.receive())
    with server.connect_as_api_server() as connection:
        connection.send(
            https.head("POST", "/authorize", [("Host", "x"), ("Content-Length", "4000000")])
            + b" " * BEGINNING
        )
        assert connection.receive().status == 413


def test_what_asks_for_more_than_can_be_read_is_denied_to_who_sends_it_all(
    server: Served,
) -> None:
    requirements = [{"key": "a", "operator": "DoesNotExist"}] * 100_000
    asked = {"verb": "list", "resource": "secrets", "labelSelector": {"requirements": requirements}}
    status = server.authorize({"resourceAttributes": asked, "user": "alice"})
    assert status["denied"] is True
    assert grants_all(server)


def test_why_a_part_is_not_well_is_told_on_the_machine_and_not_through_a_proxy(
    server: Served,
) -> None:
    server.write_policy("broken\n")
    eventually(lambda: "policy.csv:1" in server.get("/readyz?verbose").text, "readyz tells it")

    assert "policy.csv:1" in server.probe("/readyz?verbose")
    headers = [("Host", "127.0.0.1"), ("X-Forwarded-For", "192.0.2.7")]
    with https.connect(server.probes_port) as connection:
        forwarded = connection.request("GET", "/readyz?verbose", headers=headers)
    assert "[+]policy ok: reason withheld\n" in forwarded.text


def test_the_probes_port_answers_probes_and_nothing_else(server: Served) -> None:
    assert grants_all(server)
    assert server.probe("/livez") == "ok"
    assert "[+]policy ok" in server.probe("/readyz?verbose")
    eventually(
        lambda: (
            'authsvc_requests_total{code="200",endpoint="authorize"} 1.0'
            in server.probe("/metrics")
        ),
        "reviews are counted",
    )
    for path in ("/authorize", "/authenticate", "/oauth2/token"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            server.probe(path)


def test_clients_of_the_probes_port_that_take_their_time_hold_up_no_probe(server: Served) -> None:
    with ExitStack() as stack:
        for _ in range(40):
            client = socket.create_connection(("127.0.0.1", server.probes_port))
            stack.enter_context(client).sendall(b"GET /livez HTTP/1.1\r\nX: ")
        assert server.probe("/livez") == "ok"


def test_a_burst_of_connections_waits_in_the_queue_of_the_listener(server: Served) -> None:
    assert grants_all(server)
    with ExitStack() as stack:
        for worker in server.workers():
            os.kill(worker, signal.SIGSTOP)
            stack.callback(os.kill, worker, signal.SIGCONT)
        for _ in range(300):
            # One that finds no place is asked again after a second.
            place = ("127.0.0.1", server.port)
            stack.enter_context(socket.create_connection(place, timeout=0.9))
    assert grants_all(server)


def test_there_are_as_many_open_files_as_the_machine_allows(server: Served) -> None:
    limits = [
        dict(zip(("soft", "hard"), line.split()[3:5], strict=True))
        for process in (server.pid, *server.workers())
        for line in Path(f"/proc/{process}/limits").read_text().splitlines()
        if line.startswith("Max open files")
    ]
    assert limits
    assert all(limit["soft"] == limit["hard"] for limit in limits)


def test_a_connection_is_kept_for_the_next_request(server: Served) -> None:
    """gunicorn alone would close it after two seconds; the API server keeps it for 90."""
    with server.connect_as_api_server() as connection:
        for path in ENDPOINTS:
            answer = connection.post(path, review(path))
            assert is_granted(answer)
            assert answer.headers.get("Connection", "").lower() != "close"
        connection.socket.settimeout(3)
        with pytest.raises(TimeoutError):
            connection.socket.recv(1)
        assert is_granted(connection.post("/authorize", review("/authorize")))


@https.MAY_BE_RESET
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_no_request_is_lost_while_workers_go(server: Served, number: signal.Signals) -> None:
    """A connection that is closed under a request is an error to the API server's user."""
    first = server.workers()
    server.reload_with({"server": {"workers": 2}})
    eventually(lambda: len(server.workers() - first) == 2, "there are two")
    eventually(lambda: not server.workers() & first, "and no other")
    workers = server.workers()
    begun, done = threading.Event(), threading.Event()

    def ask() -> int:
        answered = 0
        while not done.is_set():
            try:
                connection = server.connect_as_api_server()
            except OSError:
                # It takes no more connections: stopping, or refused in the handshake.
                assert number is signal.SIGTERM
                return answered
            with connection:
                while not done.is_set():
                    answer = connection.post("/authorize", review("/authorize"))
                    assert is_granted(answer)
                    answered += 1
                    begun.set()
                    if answer.headers.get("Connection", "").lower() == "close":
                        break
        return answered

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            begun.wait(20)
            server.signal(number)
            eventually(lambda: not any(_runs(worker) for worker in workers), "the old are gone")
        finally:
            done.set()
        assert all(future.result() > 0 for future in asking)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_stopping_service_finishes_what_it_began_to_read(server: Served) -> None:
    body = https.encode(review("/authorize"))
    with server.connect_as_api_server() as connection:
        connection.send(https.head("POST", "/authorize", https.usual(body)) + body[:10])
        assert grants_all(server)  # so what came before is read by now
        server.signal(signal.SIGTERM)
        eventually(lambda: not _takes_connections(server), "it takes no new connection")
        connection.send(body[10:])
        assert is_granted(connection.receive())
        assert connection.is_closed_by_server()
    assert server.wait() == 0


def _takes_connections(server: Served) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


@https.MAY_BE_RESET
def test_clients_that_send_no_body_hold_nobody_up_for_long(server: Served) -> None:
    before = server.workers()
    server.reload_with({"server": {"bodyTimeout": "1s"}})
    eventually(lambda: not server.workers() & before, "the new time holds")
    body = https.encode(review("/authorize"))
    beginning = https.head("POST", "/authorize", https.usual(body)) + body[:10]
    with ExitStack() as stack:
        for _ in range(150):  # more than there are threads
            stack.enter_context(server.connect_as_api_server()).send(beginning)
        eventually(lambda: _is_answered(server), "a client that sends its body is answered", 30)
    assert grants_all(server)


@https.MAY_BE_RESET
def test_connections_that_take_all_open_files_are_survived(server: Served) -> None:
    for worker in server.workers():
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (200, 200))
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
    eventually(lambda: _is_answered(server), "others are answered again", 60)


def _is_answered(server: Served) -> bool:
    try:
        return is_granted(server.post("/authorize", review("/authorize")))
    except OSError:  # by a worker that ended
        return False


def test_a_good_configuration_is_taken_whole_on_sighup(server: Served) -> None:
    large = https.encode(review("/authorize")) + b" " * 2000
    server.reload_with({"server": {"maxBodyBytes": 1000, "workers": 2}})
    eventually(lambda: server.post("/authorize", large).status == 413, "the new limit holds")
    eventually(lambda: len(server.workers()) == 2, "the new number of workers")
    assert grants_all(server)


def test_a_broken_configuration_on_sighup_leaves_the_workers_alone(server: Served) -> None:
    workers = server.workers()
    server.reload_with({"server": {"workers": 0}})
    eventually(lambda: '"part": "server"' in server.log, "it is told")
    assert "server.workers" in server.log
    assert server.workers() == workers
    assert grants_all(server)


@https.MAY_BE_RESET
def test_workers_that_die_are_replaced_however_often(server: Served) -> None:
    for _ in range(3):
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: server.workers() - {worker} != set(), "there is a new one")  # noqa: B023
        assert grants_all(server)


def test_a_renewed_certificate_is_served(server: Served, tmp_path: Path) -> None:
    before = _certificate(server)
    elsewhere = tmp_path / "renewed"
    initialise(elsewhere)
    server.ca.write_bytes(server.ca.read_bytes() + (elsewhere / "pki/ca.crt").read_bytes())
    for name in ("server.key", "server.crt"):
        shutil.copy(elsewhere / "pki" / name, server.folder / "pki" / name)
    eventually(lambda: _certificate(server) != before, "it is served", 30)
    assert grants_all(server)


def _certificate(server: Served) -> bytes:
    with server.connect_as_api_server() as connection:
        assert isinstance(connection.socket, ssl.SSLSocket)
        certificate = connection.socket.getpeercert(binary_form=True)
    assert certificate
    return certificate


def test_names_of_clients_need_an_engine_that_sees_them(tmp_path: Path) -> None:
    server = AuthsvcServer(tmp_path, settings={"server": {"engine": "Granian"}})
    with pytest.raises(InvalidConfigurationError, match=r"allowedClientNames.*remove this line"):
        load(server.config)
