"""Granian's main process: certificates that it cannot serve with, workers that end at once."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.reviews import is_granted, review
from tests.parts.waiting import eventually
from tests.server.served import Served

# OpenSSL takes each, and Granian's TLS does not. That a key has three primes its
# certificate does not show: it comes to light in a worker alone.
KNOWN_BEFORE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521")
COMES_TO_LIGHT = ("-newkey", "rsa:2048", "-pkeyopt", "rsa_keygen_primes:3")


@pytest.fixture
def granian(tmp_path: Path) -> Iterator[Served]:
    """Return a service with Granian that is not started yet."""
    served = Served(tmp_path, "Granian")
    try:
        yield served
    finally:
        served.stop()


def install(server: Served, kind: tuple[str, ...]) -> None:
    """Put a key of a kind, and a certificate for it, in the place of the server's."""
    pki = server.folder / "pki"
    names = ("-subj", "/CN=authsvc", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "9")
    files = ("-keyout", f"{pki}/new.key", "-out", f"{pki}/new.crt")
    command = ["openssl", "req", "-x509", "-noenc", *kind, *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    for name in ("key", "crt"):
        (pki / f"new.{name}").replace(pki / f"server.{name}")


def is_answered(server: Served) -> bool:
    return is_granted(server.post("/authorize", review("/authorize")))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (KNOWN_BEFORE, r"error: server\.tls\.certFile: .*server\.crt: Granian serves with"),
        (COMES_TO_LIGHT, r"error: Granian's workers end at once"),
    ],
)
def test_a_key_that_it_cannot_use_ends_the_start(
    granian: Served, kind: tuple[str, ...], error: str
) -> None:
    install(granian, kind)
    ran = subprocess.run(
        [sys.executable, "-m", "authsvc", "serve", "--config", granian.config],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 1
    assert re.match(error, ran.stderr.splitlines()[-1])
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("kind", "part"), [(KNOWN_BEFORE, "certificates"), (COMES_TO_LIGHT, "server")]
)
def test_a_renewal_that_it_cannot_use_leaves_the_last_good(
    granian: Served, kind: tuple[str, ...], part: str
) -> None:
    granian.start()
    workers = granian.workers()
    install(granian, kind)

    def is_told() -> bool:
        told = granian.told("reload_failed_last_good_kept")
        return any(each["part"] == part for each in told)

    eventually(is_told, "it is told", 30)
    eventually(lambda: granian.workers() == workers, "the workers are those from before")
    assert is_answered(granian)

    # And one that replaces them serves with what was good, too.
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    eventually(lambda: granian.workers() - workers, "there is a new one")
    assert is_answered(granian)


def test_a_new_worker_goes_on_from_the_last_good_of_those_before_it(granian: Served) -> None:
    granian.start()
    granian.write_policy("p, user:nobody, *, pods, *, *, allow\n", "policy.csv")
    eventually(lambda: not is_answered(granian), "the worker has taken it")
    eventually(lambda: len(granian.told("reloaded")) == 2, "and so has the main process")
    granian.write_policy("broken\n", "policy.csv")
    eventually(lambda: "policy.csv:1" in granian.get("/readyz?verbose").text, "readyz tells it")
    (worker,) = granian.workers()
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: granian.workers() - {worker}, "there is a new one")
    assert not is_answered(granian)
    assert granian.get("/readyz").status == 200


def test_systemd_is_told_when_it_serves(stopped_server: Served, tmp_path: Path) -> None:
    """The unit is of Type=notify (sd_notify(3)), for either engine."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
            stopped_server.start()
        assert manager.recv(1000).startswith(b"READY=1")
