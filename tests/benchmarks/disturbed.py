"""SubjectAccessReviews while something heavy goes on in the same workers.

``python -m tests.benchmarks.disturbed``

A policy of 100,000 rows that is changed again and again, and a directory that
takes two seconds for each of its answers while 50 TokenReviews wait for it.

Rounds with and without take turns, since rates go up and down with the machine.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import socketserver
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median

from tests.benchmarks import load, serving
from tests.benchmarks.load import Load
from tests.benchmarks.report import Table, report

_ROWS = 100_000
_CONNECTIONS = 16
_WAITING = 50
_ANSWER_SECONDS = 2.0

Disturbance = Callable[[Path, int, threading.Event], None]


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of load, a round")
    parser.add_argument("--engines", nargs="*", default=["Gunicorn", "Granian"])
    options = parser.parse_args()
    report("disturbed", _table(options.engines, [options.seconds] * options.rounds))


def _table(engines: Sequence[str], rounds: Sequence[float]) -> Table:
    yield (
        "| server | while | requests/s | of undisturbed | p50 | p99 | worst round's p99 "
        "| undisturbed p99 | failed |"
    )
    yield "| --- | --- | --: | --: | --: | --: | --: | --: | --: |"
    with tempfile.TemporaryDirectory(prefix="authsvc-bench-") as name:
        for engine in engines:
            yield from _rows(Path(name) / engine, engine, rounds)


def _rows(folder: Path, engine: str, rounds: Sequence[float]) -> Iterator[str]:
    with _slow_directory() as directory:
        port = serving.write(folder, _ROWS, engine, _STORE)
        config = folder / "authsvc.yaml"
        text = config.read_text().replace("  authenticators:\n", _AUTHENTICATOR % directory)
        config.write_text(text)
        (folder / "password").write_text("secret")
        bodies = serving.access_bodies(folder, _ROWS)
        url = f"https://127.0.0.1:{port}/authorize"
        with serving.served(folder, port, "service") as server:

            def counts() -> bool:
                return serving.all_work(server, port, _CONNECTIONS)

            def look(seconds: float) -> Load:
                return load.run(
                    url, bodies, connections=_CONNECTIONS, seconds=seconds, counts=counts
                )

            look(1)
            disturbances: dict[str, Disturbance] = {
                f"{_WAITING} TokenReviews wait for a slow directory": _wait_for_the_directory,
                f"a policy of {_ROWS:,} rows is reloaded again and again": _change_the_policy,
            }
            for what, disturb in disturbances.items():
                alone, seen = [], []
                for seconds in rounds:
                    alone.append(look(seconds))
                    with _going_on(disturb, folder, port):
                        seen.append(look(seconds))
                yield _row(engine, what, seen, alone)


def _row(engine: str, what: str, seen: Sequence[Load], alone: Sequence[Load]) -> str:
    rate, undisturbed = (median(each.rate for each in loads) for loads in (seen, alone))
    p50, p99 = median(each.p50 for each in seen), median(each.p99 for each in seen)
    return (
        f"| {engine} | {what} | {rate:,.0f} | {rate / undisturbed:.0%} "
        f"| {p50:.2f} ms | {p99:.2f} ms | {max(each.p99 for each in seen):.2f} ms "
        f"| {median(each.p99 for each in alone):.2f} ms | {sum(each.failed for each in seen)} |"
    )


@contextmanager
def _going_on(disturb: Disturbance, folder: Path, port: int) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=disturb, args=(folder, port, stop))
    thread.start()
    time.sleep(1)
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _change_the_policy(folder: Path, _port: int, stop: threading.Event) -> None:
    file = folder / "policy" / "rows.csv"
    text = file.read_text()
    number = 0
    while not stop.wait(3):
        number += 1
        file.write_text(f"{text}p, role:r0, *, changed{number}, *, get, allow\n")


def _wait_for_the_directory(_folder: Path, port: int, stop: threading.Event) -> None:
    threads = [
        threading.Thread(target=_ask_for_a_person, args=(port, stop)) for _ in range(_WAITING)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


_people = count()  # each is asked for once: a verdict about somebody is remembered


def _ask_for_a_person(port: int, stop: threading.Event) -> None:
    # The load has no certificate either, and what is asked is on loopback.
    context = ssl._create_unverified_context()  # noqa: S323
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=context)
    while not stop.is_set():
        token = base64.b64encode(f"user-{next(_people)}:password".encode()).decode()
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token},
        }
        try:
            connection.request("POST", "/authenticate", json.dumps(review))
            answer = connection.getresponse()
        except OSError as error:
            raise SystemExit(f"a TokenReview was not answered: {error}") from None
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"a TokenReview was answered {answer.status}")
    connection.close()


_AUTHENTICATOR = """\
  authenticators:
  - name: people
    type: LDAP
    ldap:
      preset: OpenLDAP
      baseDN: dc=example,dc=org
      servers: ["ldap://127.0.0.1:%d"]
      insecure: true
      deadline: 30s
      pool: {size: 64}
      bind: {dn: "cn=authsvc", passwordFile: password}
      passwordTokens: true
"""


_STORE = """
store:
  type: SQLite
  sqlite: {file: store.db}
"""


_ENDS = {0x60: 0x61, 0x63: 0x65}  # of a bind, of a search (RFC 4511)


class _Slow(socketserver.BaseRequestHandler):
    """Answers each LDAP request after a while: binds succeed, searches find nobody."""

    def handle(self) -> None:
        while request := self.request.recv(65536):
            # A tag and the length, which is long from 128 on; then the message's number.
            at = 2 + (request[1] & 0x7F if request[1] & 0x80 else 0)
            message = request[at : at + 2 + request[at + 1]]
            operation = request[at + len(message)]
            if operation not in _ENDS:
                return
            time.sleep(_ANSWER_SECONDS)
            answer = bytes([_ENDS[operation], 7]) + b"\x0a\x01\x00\x04\x00\x04\x00"
            self.request.sendall(bytes([0x30, len(message) + len(answer)]) + message + answer)


class _Directory(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256


@contextmanager
def _slow_directory() -> Iterator[int]:
    with _Directory(("127.0.0.1", 0), _Slow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


if __name__ == "__main__":
    main()
