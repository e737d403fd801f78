"""What a well-behaved client sees while something goes wrong beside it.

``python -m tests.benchmarks.faults [--seconds 4] [--short]``

Each fault is put on a server of two workers of its own, for a bounded time and
on loopback. Beside it a client like the API server asks reviews whose answers
are known, on kept-alive connections, and counts: answers, wrong ones, failures
by their kind, latencies. ``--short`` puts less of each; that is what the tests
run, which look at the behaviour and never at the times.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import ssl
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from statistics import quantiles
from typing import Any, Self

from tests.benchmarks import stepped_clock
from tests.benchmarks.report import Table, report
from tests.parts.authsvc_server import SERVE, AuthsvcServer

_POLICY = """\
p, group:devs, team-a, pods, *, get|list, allow
p, group:devs, team-a, secrets, *, *, deny
"""
_QUESTIONS = (("pods", "allowed"), ("secrets", "denied"), ("nodes", ""))
_CLIENTS = 4
_SERVE_BY_ANOTHER_CLOCK = (sys.executable, "-P", stepped_clock.__file__, "{config}")


@dataclass
class Seen:
    """What the bystanders saw; latencies in milliseconds."""

    latencies: list[float] = field(default_factory=list)
    wrong: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def answers(self) -> int:
        """How many answers came."""
        return len(self.latencies)

    def percentile(self, number: int) -> float:
        """Return a percentile of the latencies."""
        return quantiles(self.latencies, n=100)[number - 1] if self.answers > 1 else float("nan")


class Bystanders:
    """A few well-behaved clients, each on a connection of its own, reconnecting when it ends."""

    def __init__(self, server: AuthsvcServer) -> None:
        self.seen = Seen()
        self._server = server
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(_CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                with self._server.connect_as_api_server() as connection:
                    self._ask_on(connection)
            except (OSError, EOFError) as error:
                self.seen.failures[type(error).__name__] += 1
                time.sleep(0.01)

    def _ask_on(self, connection: Any) -> None:
        number = 0
        while not self._stop.is_set():
            resource, expected = _QUESTIONS[number % len(_QUESTIONS)]
            number += 1
            started = time.perf_counter()
            answer = connection.post("/authorize", _review(resource))
            self.seen.latencies.append((time.perf_counter() - started) * 1000)
            status = (
                answer.json().get("status", {}) if answer.status == 200 else {"code": answer.status}
            )
            said = "allowed" if status.get("allowed") else "denied" if status.get("denied") else ""
            if answer.status != 200 or said != expected:
                self.seen.wrong += 1
            if answer.headers.get("connection", "").lower() == "close":
                return
            time.sleep(0.001)


def _review(resource: str) -> dict[str, Any]:
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "alice",
            "groups": ["devs"],
            "resourceAttributes": {"namespace": "team-a", "verb": "list", "resource": resource},
        },
    }


@dataclass(frozen=True)
class Scene:
    """A server, for how long it is troubled, and how much of it there is (1 is all)."""

    server: AuthsvcServer
    seconds: float
    share: float

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        pid = self.server.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def connect(self) -> socket.socket:
        """Open a connection on which nothing was said yet."""
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=20)

    def stranger(self) -> ssl.SSLSocket:
        """Open a connection with TLS and without a certificate."""
        context = ssl.create_default_context(cafile=self.server.ca)
        return context.wrap_socket(self.connect(), server_hostname="127.0.0.1")


Fault = Callable[[Scene], None]


def nothing(scene: Scene) -> None:
    """nothing, to compare with"""
    time.sleep(scene.seconds)


def worker_killed(scene: Scene) -> None:
    """a worker killed (-9) each second"""
    for _ in range(max(1, int(scene.seconds))):
        os.kill(scene.workers()[0], signal.SIGKILL)
        time.sleep(1)


def master_reloaded(scene: Scene) -> None:
    """SIGHUP each second"""
    for _ in range(max(1, int(scene.seconds))):
        scene.server.signal(signal.SIGHUP)
        time.sleep(1)


def worker_count_changed(scene: Scene) -> None:
    """workers added and taken away (SIGTTIN, SIGTTOU)"""
    for _ in range(max(1, int(scene.seconds / 2))):
        scene.server.signal(signal.SIGTTIN)
        time.sleep(1)
        scene.server.signal(signal.SIGTTOU)
        time.sleep(1)


def restarted_behind_the_port(scene: Scene) -> None:
    """a new master on the same port (SIGUSR2), then the old one stopped"""
    known = set(scene.workers())
    scene.server.signal(signal.SIGUSR2)
    time.sleep(max(3.0, scene.seconds / 2))
    successor = (set(scene.workers()) - known).pop()
    scene.server.signal(signal.SIGTERM)
    time.sleep(max(3.0, scene.seconds / 2))
    os.kill(successor, signal.SIGTERM)


def _slow(scene: Scene, say: Callable[[ssl.SSLSocket], None], count: int) -> None:
    clients = []
    for _ in range(max(10, int(count * scene.share))):
        client = scene.stranger()
        with contextlib.suppress(OSError):
            say(client)
        clients.append(client)
    time.sleep(scene.seconds)
    for client in clients:
        client.close()


def says_nothing(scene: Scene) -> None:
    """1,000 clients that connect and say nothing"""
    clients = [scene.connect() for _ in range(max(10, int(1000 * scene.share)))]
    time.sleep(scene.seconds)
    for client in clients:
        client.close()


def half_a_header(scene: Scene) -> None:
    """1,000 clients that send half a header"""
    _slow(scene, lambda client: client.sendall(b"POST /authorize HTTP/1.1\r\nHost: x\r\n"), 1000)


def half_a_body(scene: Scene) -> None:
    """1,000 clients that send half a body"""
    head = b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"
    _slow(scene, lambda client: client.sendall(head), 1000)


def a_byte_a_second(scene: Scene) -> None:
    """1,000 clients that send a byte a second"""
    clients = [scene.stranger() for _ in range(max(10, int(1000 * scene.share)))]
    line = b"POST /authorize HTTP/1.1\r\n"
    for second in range(max(1, int(scene.seconds))):
        for client in clients:
            with contextlib.suppress(OSError):
                client.sendall(line[second : second + 1])
        time.sleep(1)
    for client in clients:
        client.close()


def idle_connections(scene: Scene) -> None:
    """10,000 idle connections"""
    _slow(scene, lambda _: None, 10_000)


def handshakes_without_a_certificate(scene: Scene) -> None:
    """a flood of handshakes without a certificate"""
    until = time.monotonic() + scene.seconds

    def flood() -> None:
        while time.monotonic() < until:
            with contextlib.suppress(OSError), scene.stranger() as client:
                client.sendall(b"POST /authorize HTTP/1.1\r\nHost: x\r\n\r\n")
                client.recv(1024)

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def policy_broken_and_mended(scene: Scene) -> None:
    """the policy broken and mended each second"""
    for _ in range(max(1, int(scene.seconds / 2))):
        scene.server.write_policy("p, broken\n")
        time.sleep(1)
        scene.server.write_policy(_POLICY)
        time.sleep(1)


def disk_full(scene: Scene) -> None:
    """a full disk under the decision log"""
    time.sleep(scene.seconds)


def clock_stepped(scene: Scene) -> None:
    """the clock stepped by an hour, forth and back"""
    offset = scene.server.folder / stepped_clock.FILE
    for step in (3600, -3600, 0):
        offset.write_text(str(step))
        time.sleep(max(1.0, scene.seconds / 3))


FAULTS: tuple[Fault, ...] = (
    nothing,
    worker_killed,
    master_reloaded,
    worker_count_changed,
    restarted_behind_the_port,
    says_nothing,
    half_a_header,
    half_a_body,
    a_byte_a_second,
    idle_connections,
    handshakes_without_a_certificate,
    policy_broken_and_mended,
    disk_full,
    clock_stepped,
)


# By signals that only gunicorn's main process has a meaning for.
OF_GUNICORN_ALONE = frozenset({worker_count_changed, restarted_behind_the_port})


def play(fault: Fault, *, seconds: float, share: float, engine: str = "Gunicorn") -> Seen:
    """Start a server, trouble it, and return what the bystanders saw."""
    settings: dict[str, Any] = {
        "server": {"workers": 2, "engine": engine},
        "logging": {"level": "warning"},
    }
    if engine == "Granian":
        settings["server"]["tls"] = {"allowedClientNames": []}
    if fault is disk_full:
        settings["logging"]["decisions"] = "/dev/full"
    with tempfile.TemporaryDirectory(prefix="authsvc-faults-") as name:
        folder = Path(name)
        command = _SERVE_BY_ANOTHER_CLOCK if fault is clock_stepped else SERVE
        server = AuthsvcServer(
            folder, policy={"policy.csv": _POLICY}, settings=settings, command=command
        )
        try:
            server.start()
            with Bystanders(server) as bystanders:
                fault(Scene(server, seconds, share))
            return bystanders.seen
        finally:
            server.stop()


def main() -> None:
    """Play all faults, or the named ones, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of faults; all by default")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--engines", nargs="*", default=["Gunicorn", "Granian"])
    parser.add_argument("--short", action="store_true", help="a hundredth of the clients")
    options = parser.parse_args()
    share = 0.01 if options.short else 1.0
    lines = table(options.engines, options.names, seconds=options.seconds, share=share)
    report("faults", lines)


def table(engines: Sequence[str], names: Sequence[str], *, seconds: float, share: float) -> Table:
    """Play faults, all unless some are named; yields the table's lines."""
    yield "| server | while there is | answers | wrong | failed | p50 | p99 | longest |"
    yield "| --- | --- | --: | --: | --- | --: | --: | --: |"
    for engine, fault in product(engines, FAULTS):
        if names and fault.__name__ not in names:
            continue
        if engine != "Gunicorn" and fault in OF_GUNICORN_ALONE:
            continue
        seen = play(fault, seconds=seconds, share=share, engine=engine)
        failures = ", ".join(f"{count} {name}" for name, count in seen.failures.items()) or "0"
        yield (
            f"| {engine} | {fault.__doc__} | {seen.answers:,} | {seen.wrong} | {failures} "
            f"| {seen.percentile(50):.1f} ms | {seen.percentile(99):.1f} ms "
            f"| {max(seen.latencies, default=float('nan')):.0f} ms |"
        )


if __name__ == "__main__":
    main()
