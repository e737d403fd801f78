"""What is kept of the decisions: one line each, and counts that are right over all workers."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

from tests.integration.access import spec
from tests.integration.reviews import ENDPOINTS, PODS, POLICY, TOKEN, TOKENS, is_granted, review
from tests.integration.test_server import children
from tests.parts.authsvc_server import AuthsvcServer, StartAuthsvc
from tests.parts.waiting import eventually


def lines(file: Path) -> list[dict[str, Any]]:
    """Return the decisions of a file, each of which is one line of JSON."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def workers_of(decisions: list[dict[str, Any]]) -> set[str]:
    """Return who decided: a request id begins with its worker's own part."""
    return {str(decision["requestId"]).partition("-")[0] for decision in decisions}


# The decision log


def test_each_decision_is_a_line_that_says_who_what_and_why(start_authsvc: StartAuthsvc) -> None:
    server = start_authsvc(tokens=TOKENS, policy=POLICY)

    server.authenticate(TOKEN)
    server.authenticate(TOKEN)
    server.authenticate("nobody's")
    server.authorize(PODS)
    server.authorize(spec("bob", "get", "pods"))

    eventually(lambda: len(server.decisions) == 5, "all are written")
    first, again, unknown, allowed, other = server.decisions
    for decision in server.decisions:
        assert decision["durationMicroseconds"] > 0
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", decision["time"])
    assert [line["kind"] for line in server.decisions] == ["TokenReview"] * 3 + [
        "SubjectAccessReview"
    ] * 2
    assert (first["outcome"], first["cached"]) == ("authenticated", False)
    assert (again["outcome"], again["cached"]) == ("authenticated", True)
    assert first["user"] == {"username": "alice", "uid": "1001", "groups": ["devs"]}
    assert unknown["outcome"] == "rejected"
    assert "user" not in unknown
    assert allowed["effect"] == "allow"
    assert allowed["spec"]["user"] == "alice"
    assert allowed["spec"]["resourceAttributes"]["resource"] == "pods"
    assert "policy.csv:1" in json.dumps([allowed["reason"], allowed["rules"]])
    assert other["effect"] == "no opinion"


def test_a_decision_log_in_a_file_survives_its_rotation(start_authsvc: StartAuthsvc) -> None:
    """As logrotate does it: the file is moved away, and nobody is told."""
    server = start_authsvc(
        tokens=TOKENS,
        policy=POLICY,
        settings={"server": {"workers": 2}, "logging": {"decisions": "decisions.jsonl"}},
    )
    log, rotated = server.folder / "decisions.jsonl", server.folder / "decisions.jsonl.1"
    asked = 0
    while len(workers_of(lines(log))) < 2:
        assert is_granted(server.post("/authorize", review("/authorize")))
        asked += 1
        eventually(lambda: len(lines(log)) == asked, "each is written")  # noqa: B023  called at once

    log.rename(rotated)
    while len(workers_of(lines(log))) < 2:
        assert is_granted(server.post("/authorize", review("/authorize")))
        asked += 1
        total = lines(rotated) + lines(log)
        assert len(total) <= asked

    eventually(lambda: len(lines(rotated) + lines(log)) == asked, "none is lost")
    ids = [line["requestId"] for line in lines(rotated) + lines(log)]
    assert len(set(ids)) == asked
    assert server.decision_log.read_text() == ""


def test_lines_of_two_workers_never_run_into_each_other(start_authsvc: StartAuthsvc) -> None:
    """Long ones: writes of less than a page may be whole by luck."""
    server = start_authsvc(
        policy=POLICY,
        settings={"server": {"workers": 2}, "logging": {"decisions": "decisions.jsonl"}},
    )
    groups = [f"group-{number:05}" for number in range(2000)]
    connections = [server.connect_as_api_server() for _ in range(8)]
    try:
        for _ in range(5):
            for connection in connections:
                assert (
                    connection.post(
                        "/authorize", review("/authorize", spec={**PODS, "groups": groups})
                    ).status
                    == 200
                )
    finally:
        for connection in connections:
            connection.close()

    log = server.folder / "decisions.jsonl"
    eventually(lambda: log.read_text().count("\n") == 40, "all are written")
    assert len({line["requestId"] for line in lines(log)}) == 40


# Metrics


def counts(server: AuthsvcServer, name: str) -> dict[str, float]:
    """Return the samples of a counter that are not zero, by their labels."""
    text = server.get("/metrics").text
    found = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
    return {labels: float(value) for labels, value in found if float(value)}


def test_counts_are_right_whichever_worker_is_asked_and_whoever_died(
    start_authsvc: StartAuthsvc,
) -> None:
    server = start_authsvc(tokens=TOKENS, policy=POLICY, settings={"server": {"workers": 2}})
    rounds = 0
    while rounds < 10 or len(workers_of(server.decisions)) < 2:
        rounds += 1
        for path in ENDPOINTS:
            assert is_granted(server.post(path, review(path)))
            assert server.post(path, b"{").status == 400
        assert not server.authenticate("nobody's")["authenticated"]
        server.authorize(spec("bob", "get", "pods"))

    def are_right() -> bool:
        return (
            counts(server, "authsvc_requests_total")
            == {
                'code="200",endpoint="authenticate"': 2 * rounds,
                'code="400",endpoint="authenticate"': rounds,
                'code="200",endpoint="authorize"': 2 * rounds,
                'code="400",endpoint="authorize"': rounds,
            }
            and counts(server, "authsvc_authentications_total")
            == {'outcome="authenticated"': rounds, 'outcome="rejected"': rounds}
            and counts(server, "authsvc_authorizations_total")
            == {'effect="allow"': rounds, 'effect="no opinion"': rounds}
        )

    eventually(lambda: all(are_right() for _ in range(6)), "whichever worker answers")

    worker, *_ = before = children(server.pid)
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: set(children(server.pid)) - set(before), "the worker was replaced")
    eventually(lambda: all(are_right() for _ in range(6)), "what the dead one counted still counts")


def test_metrics_tell_when_certificates_end_and_how_many_rows_decide(
    start_authsvc: StartAuthsvc,
) -> None:
    server = start_authsvc(
        policy={"policy.csv": "p, role:x, *, pods, *, *, allow\ng, user:a, role:x, *\n"}
    )

    assert counts(server, "authsvc_policy_rows") == {'type="p"': 1, 'type="g"': 1}
    ends = counts(server, "authsvc_certificate_expiry_timestamp_seconds")
    assert set(ends) == {'certificate="server"', 'certificate="client-ca"'}
    assert counts(server, "authsvc_reload_healthy")['part="policy"'] == 1
