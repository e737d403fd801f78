"""/livez, /readyz, /healthz and /metrics, in the form of Kubernetes' components."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from authsvc.webhook import health
from authsvc.webhook.health import Check
from authsvc.webhook.wsgi import CLIENT_IS_VERIFIED
from tests.webhook.carriers import TLSSocket

GOOD = Check("policy", ready=True)
KEPT = Check("policy", ready=True, detail="team.csv:3: unknown row type")
BAD = Check("policy", ready=False)


def client(*checks: Check) -> FlaskClient:
    flask = Flask("test")
    flask.register_blueprint(health.blueprint(lambda: checks))
    return flask.test_client()


@pytest.mark.parametrize("path", ["/readyz", "/healthz"])
@pytest.mark.parametrize("check", [GOOD, KEPT])
def test_ready_is_one_word(path: str, check: Check) -> None:
    answer = client(check).get(path)
    assert (answer.status_code, answer.text) == (200, "ok")


def test_asked_for_more_each_part_is_listed_with_what_is_wrong_with_it() -> None:
    answer = client(Check("configuration", ready=True), KEPT).get("/readyz?verbose")
    assert answer.status_code == 200
    assert answer.text == (
        "[+]configuration ok\n[+]policy ok: team.csv:3: unknown row type\nreadyz check passed\n"
    )


WITHHELD = "[+]policy ok: reason withheld\nreadyz check passed\n"


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_who_is_on_the_machine_is_told_why(address: str) -> None:
    answer = client(KEPT).get("/readyz?verbose", environ_overrides={"REMOTE_ADDR": address})

    assert "policy ok: team.csv:3" in answer.text


@pytest.mark.parametrize("address", ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "", "unix:"])
def test_who_is_elsewhere_or_nobody_knows_where_is_not_told_why(address: str) -> None:
    answer = client(KEPT).get("/readyz?verbose", environ_overrides={"REMOTE_ADDR": address})

    assert answer.text == WITHHELD


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via"])
def test_who_comes_through_a_proxy_on_the_machine_is_not_told_why(header: str) -> None:
    answer = client(KEPT).get("/readyz?verbose", headers={header: "127.0.0.1"})

    assert answer.text == WITHHELD


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"gunicorn.socket": TLSSocket(["prober"])}, True),
        ({"gunicorn.socket": TLSSocket(None)}, False),
        ({CLIENT_IS_VERIFIED: True}, True),
        ({"HTTP_AUTHSVC_CLIENT_IS_VERIFIED": "True"}, False),
        ({"asgi.scope": {"extensions": {"tls": {"client_cert_names": frozenset()}}}}, True),
        ({"asgi.scope": {"extensions": {"tls": {"client_cert_names": None}}}}, False),
        ({"asgi.scope": {}}, False),
    ],
)
def test_who_has_a_client_certificate_is_told_why(environ: dict[str, object], told: bool) -> None:
    environ |= {"REMOTE_ADDR": "192.0.2.7"}

    answer = client(KEPT).get("/readyz?verbose", environ_overrides=environ)

    assert ("team.csv:3" in answer.text) == told
    assert (answer.text == WITHHELD) != told


def test_what_keeps_it_from_being_ready_is_not_told_elsewhere_either() -> None:
    bad = Check("policy", ready=False, detail="/etc/authsvc/policy/a.csv:1: unknown row type")
    answer = client(bad).get("/readyz", environ_overrides={"REMOTE_ADDR": "192.0.2.7"})

    assert answer.status_code == 503
    assert answer.text == "[-]policy failed: reason withheld\nreadyz check failed\n"


def test_not_ready_is_503_and_says_what() -> None:
    answer = client(GOOD, BAD).get("/readyz")
    assert answer.status_code == 503
    assert answer.text == "[+]policy ok\n[-]policy failed\nreadyz check failed\n"


def test_alive_is_not_a_matter_of_files() -> None:
    answer = client(BAD).get("/livez")
    assert (answer.status_code, answer.text) == (200, "ok")


def test_several_faults_of_a_part_stay_on_its_line() -> None:
    answer = client(Check("policy", ready=True, detail="a:1: x\na:2: y\na:3: z")).get(
        "/readyz?verbose"
    )
    assert answer.text.splitlines()[0] == "[+]policy ok: a:1: x (and 2 more)"


def test_metrics_are_prometheus_text() -> None:
    answer = client().get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=")
    assert "# TYPE authsvc_requests_total counter" in answer.text


@pytest.mark.parametrize("path", health.PATHS)
def test_every_path_that_is_said_to_be_a_probe_is_answered(path: str) -> None:
    assert client(GOOD).get(path).status_code == 200


_SCRAPE = """
import sys, threading, time
from pathlib import Path
from flask import Flask
from authsvc.webhook import health

half_made = Path(sys.argv[1]) / "counter_1.db"
half_made.touch()
threading.Timer(0.03, half_made.unlink).start()
flask = Flask("test")
flask.register_blueprint(health.blueprint(lambda: ()))
print(flask.test_client().get("/metrics").status_code)
"""


def test_metrics_wait_for_a_worker_that_makes_its_files(tmp_path: Path) -> None:
    scraped = subprocess.run(
        [sys.executable, "-c", _SCRAPE, str(tmp_path)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert scraped.stdout == "200\n"
