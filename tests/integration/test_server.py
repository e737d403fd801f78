"""How the service serves: connections that last, signals, workers that come and go.

What holds under every engine alike is in tests/server/test_engines.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.access import spec
from tests.integration.reviews import ENDPOINTS, POLICY, TOKEN, TOKENS, is_granted, review
from tests.parts import https
from tests.parts.authsvc_server import (
    AuthsvcServer,
    StartAuthsvc,
    access_review,
    token_review,
)
from tests.parts.waiting import eventually

# The master looks at the files about once a second, and takes what two looks saw.
MASTER_SECONDS = 4.0

GRANTING: dict[str, Any] = {"tokens": TOKENS, "policy": POLICY}


def children(pid: int) -> list[int]:
    """Return the processes that a process has started: the workers of a master."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()
        except (OSError, NotADirectoryError):
            continue
        if int(state[1]) == pid and state[0] != "Z":
            found.append(int(entry.name))
    return found


# Connections


def test_a_keep_alive_that_the_api_server_outlasts_is_refused(start_authsvc: StartAuthsvc) -> None:
    server = start_authsvc(**GRANTING)
    for keep_alive, code in (("90s", 1), ("91s", 0)):
        server.configure({"server": {"keepAlive": keep_alive}})
        checked = check(server.config)
        assert checked.returncode == code
        assert ("server.keepAlive" in checked.stderr + checked.stdout) == (code == 1)


def check(config: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "authsvc", "config", "check", str(config)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_bad_request_does_not_cost_the_connection(granting_server: AuthsvcServer) -> None:
    with granting_server.connect_as_api_server() as connection:
        for _ in range(3):
            assert connection.post("/authorize", b"{").status == 400
            assert is_granted(connection.post("/authorize", review("/authorize")))


def test_answers_do_not_wait_for_acknowledgements(granting_server: AuthsvcServer) -> None:
    """Nagle's algorithm with delayed acknowledgements holds up each answer for 40 ms."""
    times = []
    with granting_server.connect_as_api_server() as connection:
        for _ in range(50):
            begun = time.perf_counter()
            connection.post("/authorize", review("/authorize"))
            times.append(time.perf_counter() - begun)

    assert sorted(times)[12] < 0.040


def test_requests_sent_one_behind_the_other_are_answered_in_order(
    granting_server: AuthsvcServer,
) -> None:
    bodies = [https.encode(token_review(token)) for token in (TOKEN, "nobody's", TOKEN)]
    requests = [https.head("POST", "/authenticate", https.usual(body)) + body for body in bodies]
    with granting_server.connect_as_api_server() as connection:
        verdicts = []
        for request in requests:
            connection.send(request)
            verdicts.append(connection.receive().json()["status"]["authenticated"])

    assert verdicts == [True, False, True]


# SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_stop_ends_an_idle_service_with_0(
    start_authsvc: StartAuthsvc, number: signal.Signals
) -> None:
    server = start_authsvc(**GRANTING)
    with server.connect_as_api_server() as idle:
        assert is_granted(idle.post("/authorize", review("/authorize")))

        server.signal(number)

        assert idle.is_closed_by_server()
    assert server.wait() == 0


# SIGHUP, and a changed file


def test_a_broken_configuration_is_told_on_sighup_and_the_old_one_stays(
    start_authsvc: StartAuthsvc,
) -> None:
    server = start_authsvc(**GRANTING)
    workers = children(server.pid)

    server.configure(
        {
            "server": {"keepAlive": "5s", "workers": 0},
            "authentication": {"authenticators": []},
            "authorisation": {},
        }
    )
    server.signal(signal.SIGHUP)

    eventually(lambda: "authorisation" in server.get("/readyz?verbose").text, "readyz tells it")
    assert server.get("/readyz").status == 200
    for place in ("authorisation", "server.workers", "server.keepAlive"):
        assert place in server.log
    for path in ENDPOINTS:
        assert is_granted(server.post(path, review(path)))
    assert children(server.pid) == workers


def test_what_was_taken_out_stays_out_when_a_reload_fails(start_authsvc: StartAuthsvc) -> None:
    """The last good is the newest that was good, not what was there at the start."""
    server = start_authsvc(tokens="stays,alice,1\nleaver,larry,2\n")
    server.write_tokens("stays,alice,1\n")
    eventually(lambda: not server.authenticate("leaver")["authenticated"], "the leaver is out")

    server.write_tokens("stays,alice,1\nbroken\n")
    server.signal(signal.SIGHUP)
    eventually(lambda: '"part": "server"' in server.log, "the signal had its effect")
    eventually(lambda: "tokens.csv:2" in server.get("/readyz?verbose").text, "readyz tells it")

    for _ in range(5):
        assert not server.authenticate("leaver")["authenticated"]
        assert server.authenticate("stays")["authenticated"]


def test_a_changed_configuration_is_live_without_a_signal(start_authsvc: StartAuthsvc) -> None:
    server = start_authsvc(**GRANTING)

    server.configure({"authentication": {"authenticators": []}})

    eventually(lambda: not server.authenticate(TOKEN)["authenticated"], "the change is live")


# Workers


def test_a_new_worker_goes_on_from_the_last_good_of_those_before_it(
    start_authsvc: StartAuthsvc,
) -> None:
    server = start_authsvc(
        tokens="leaver,larry,1\n", policy={"policy.csv": "p, user:larry, *, pods, *, *, allow\n"}
    )
    asked = access_review(spec("larry", "get", "pods"))
    server.write_tokens("other,olga,2\n")
    server.write_policy("p, user:larry, *, pods, *, *, deny\n")
    eventually(lambda: not server.authenticate("leaver")["authenticated"], "the leaver is out")
    eventually(lambda: server.post("/authorize", asked).json()["status"].get("denied"), "denied")
    time.sleep(MASTER_SECONDS)  # nothing shows from outside that the master has seen it, too
    server.write_tokens("broken\n")
    server.write_policy("broken\n")
    eventually(lambda: "tokens.csv:1" in server.get("/readyz?verbose").text, "readyz tells it")
    (worker,) = children(server.pid)

    os.kill(worker, signal.SIGKILL)
    eventually(lambda: children(server.pid) not in ([worker], []), "there is a new worker")

    assert server.authenticate("other")["authenticated"]
    assert server.authenticate("leaver") == {"authenticated": False}
    assert server.post("/authorize", asked).json()["status"]["denied"]
    readiness = server.get("/readyz?verbose")
    assert readiness.status == 200
    assert "tokens.csv:1" in readiness.text
    assert "policy.csv:1" in readiness.text


def test_plain_gunicorn_answers_the_same(start_authsvc: StartAuthsvc) -> None:
    settings = Path(__file__).parents[2] / "config/gunicorn.conf.py"
    server = start_authsvc(
        **GRANTING,
        command=[sys.executable, "-m", "gunicorn", "-c", settings, "authsvc.app:create_app()"],
    )

    for path in ENDPOINTS:
        assert is_granted(server.post(path, review(path)))
        with server.connect() as connection:
            assert connection.post(path, review(path)).status == 401
    assert server.get("/readyz").status == 200


# Starting


def test_every_error_of_a_configuration_is_told_and_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "tokens.csv").write_text("a,alice,1\n")
    config = tmp_path / "authsvc.yaml"
    config.write_text(
        """\
apiVersion: config.authsvc.io/v1alpha1
kind: AuthsvcConfiguration
server:
  bind: nowhere
  keepAlive: 5s
  headerTimeout: soon
authentication:
  authenticators:
  - {name: a, type: StaticTokens, staticTokens: {file: tokens.csv}}
  - {name: a, type: StaticTokens, staticTokens: {file: missing.csv}}
authorization:
  policy: {folder: missing}
logging:
  levle: debug
"""
    )

    for command in (["serve", "--config", str(config)], ["config", "check", str(config)]):
        ran = subprocess.run(
            [sys.executable, "-m", "authsvc", *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ran.returncode == 1
        told = ran.stdout + ran.stderr
        assert "Traceback" not in told
        for place in (
            "server.bind",
            "server.keepAlive",
            "server.headerTimeout",
            "authentication.authenticators[1].name",
            "authentication.authenticators[1].staticTokens.file",
            "authorization.policy.folder",
            "logging.levle",
        ):
            assert place in told


def test_a_broken_policy_or_table_ends_the_start_with_its_place(tmp_path: Path) -> None:
    broken = {"a.csv": "p, x\n", "b.csv": "p, user:a, *, pods, *, *, no\n"}
    for name, server, places in (
        ("tokens", AuthsvcServer(tmp_path / "tokens", tokens="alice\n"), ["tokens.csv:1"]),
        ("policy", AuthsvcServer(tmp_path / "policy", policy=broken), ["a.csv:1", "b.csv:1"]),
    ):
        with pytest.raises(AssertionError, match="the service ended"):
            server.start()

        assert server.wait() == 1, name
        assert "Traceback" not in server.log
        for place in places:
            assert place in server.log
