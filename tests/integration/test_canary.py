"""No secret in any log at the most verbose level, in an error, a metric or a traceback."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.integration import broken_authsvc
from tests.parts import https
from tests.parts.authsvc_server import AuthsvcServer, StartAuthsvc, token_review
from tests.parts.waiting import eventually

# Every secret holds this, and nothing else does.
CANARY = "Canary5e3f"
KNOWN = f"{CANARY}-known"
DEBUG = {"logging": {"level": "debug"}}


def requests_that_carry_a_secret() -> list[tuple[str, bytes]]:
    """Secrets in every place where a client, or an attacker, may put one."""
    known = https.encode(token_review(KNOWN))
    return [
        ("/authenticate", known),
        ("/authenticate", https.encode(token_review(f"{CANARY}-unknown"))),
        ("/authenticate", https.encode(token_review(f"{CANARY}-wörld\0\n\u2028"))),
        ("/authenticate", https.encode(token_review(f"{CANARY}-\ud800"))),
        ("/authenticate", https.encode(token_review(CANARY + 20_000 * "x"))),
        ("/authenticate", https.encode(token_review([f"{CANARY}-typed"]))),
        ("/authenticate", https.encode(token_review({f"{CANARY}-key": 1}))),
        ("/authenticate", https.encode({"kind": f"{CANARY}-kind", "apiVersion": CANARY})),
        ("/authenticate", known[:-4]),
        ("/authenticate", known.replace(b'"token"', b'"token":"' + CANARY.encode() + b'" "')),
        ("/authenticate", CANARY.encode()),
        ("/authenticate", b"\xff" + known),
        ("/authorize", known),
        (f"/authenticate?token={CANARY}", known),
        (f"/{CANARY}", known),
    ]


def everything_it_said(server: AuthsvcServer) -> list[str]:
    """All that leaves the service: answers, both logs, metrics, probes; and its command lines."""
    said = []
    for path, body in requests_that_carry_a_secret():
        said.append(server.post(path, body).text)
    with server.connect_as_api_server() as connection:
        headers = [("Authorization", f"Bearer {CANARY}"), ("Cookie", CANARY)]
        said.append(connection.request("GET", f"/authenticate?{CANARY}", b"", headers).text)
    with server.connect_as_api_server() as connection:
        connection.send(f"POST {CANARY} HTTP/{CANARY}\r\nX {CANARY}\r\n\r\n".encode())
        said.append(str(connection.socket.recv(65536)))
    said += [server.get(path).text for path in ("/metrics", "/readyz?verbose", "/livez?verbose")]
    server.stop()
    return [*said, server.log, server.decision_log.read_text()]


def test_no_secret_is_in_anything_that_the_service_says(start_authsvc: StartAuthsvc) -> None:
    server = start_authsvc(tokens=f"{KNOWN},alice,1001,devs\n", settings=DEBUG)
    assert server.authenticate(KNOWN)["authenticated"]

    for text in everything_it_said(server):
        assert CANARY not in text


def test_no_secret_is_in_the_errors_of_a_broken_token_table(start_authsvc: StartAuthsvc) -> None:
    server = start_authsvc(tokens=f"{KNOWN},alice,1001,devs\n", settings=DEBUG)

    server.write_tokens(f"{CANARY}-short\n{KNOWN},alice,1\n{KNOWN},bob,2\n{CANARY}-nameless,,3\n")
    eventually(lambda: "tokens.csv:1" in server.log, "the fault is logged")

    for text in everything_it_said(server):
        assert CANARY not in text


def test_no_secret_is_in_the_trace_of_a_crash(start_authsvc: StartAuthsvc) -> None:
    server = start_authsvc(
        tokens=f"{KNOWN},alice,1001,devs\n",
        settings=DEBUG,
        command=(sys.executable, broken_authsvc.__file__, "serve", "--config", "{config}"),
    )

    status = server.authenticate(KNOWN)

    assert not status["authenticated"]
    assert status["error"]
    assert "user" not in status
    for text in everything_it_said(server):
        assert CANARY not in text
    # It crashed where it was meant to, and the log says where that is.
    assert Path(broken_authsvc.__file__).name in server.log


def test_a_crash_is_not_remembered_as_a_verdict(start_authsvc: StartAuthsvc) -> None:
    """An error is asked again, or one bad moment would last as long as the cache."""
    server = start_authsvc(
        command=(sys.executable, broken_authsvc.__file__, "serve", "--config", "{config}")
    )

    for _ in range(3):
        assert server.authenticate("anything")["error"]

    server.stop()
    assert server.log.count(Path(broken_authsvc.__file__).name) == 3
