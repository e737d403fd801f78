"""Plain gunicorn with config/gunicorn.conf.py, and what a SIGHUP costs it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from tests.integration.reviews import POLICY, TOKENS, is_granted, review
from tests.parts.authsvc_server import StartAuthsvc
from tests.parts.waiting import eventually

SETTINGS = Path(__file__).parents[2] / "config/gunicorn.conf.py"


def test_a_broken_configuration_on_sighup_is_told_and_the_old_one_stays(
    start_authsvc: StartAuthsvc,
) -> None:
    server = start_authsvc(
        tokens=TOKENS,
        policy=POLICY,
        command=[sys.executable, "-m", "gunicorn", "-c", SETTINGS, "authsvc.app:create_app()"],
    )
    server.configure({"server": {"workers": 0}})
    server.signal(signal.SIGHUP)
    eventually(lambda: '"part": "server"' in server.log, "it is told")
    assert "server.workers" in server.log
    eventually(lambda: server.log.count("Booting worker") == 2, "the worker is replaced")
    assert is_granted(server.post("/authorize", review("/authorize")))
