"""What is decided while administrators edit."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor

from tests.integration.access import ALLOWED, DENIED, NO_OPINION, spec, verdict
from tests.parts.authsvc_server import AuthsvcServer, StartAuthsvc, access_review
from tests.parts.waiting import eventually

# A file that cannot be used


GOOD = "p, user:alice, *, pods, *, get, allow\np, user:bob, *, secrets, *, *, deny\n"
ALICE, BOB = spec("alice", "get", "pods", "n"), spec("bob", "get", "secrets", "n")

# Each with the place that has to be told; a file without a row has no line.
BROKEN = {
    "an unknown effect": (GOOD + "p, user:carol, *, pods, *, get, Deny\n", ":3"),
    "a missing cell": (GOOD + "p, user:carol, *, pods, get, allow\n", ":3"),
    "a cycle of roles": (
        GOOD + "g, role:a, role:b, *\ng, role:b, role:a, *\np, role:a, *, pods, *, *, allow\n",
        ":[34]",
    ),
    "emptied": ("", ": "),
    "cut in half": (GOOD[: GOOD.index("*, deny")], ":2"),
}


def test_a_broken_policy_leaves_the_last_good_one_in_force(start_authsvc: StartAuthsvc) -> None:
    server = start_authsvc(policy={"policy.csv": GOOD})

    for fault, (text, place) in BROKEN.items():
        before, failures = len(server.log), reload_failures(server)
        server.write_policy(text)
        eventually(lambda: reload_failures(server) > failures, f"{fault}: counted")  # noqa: B023  called at once

        assert re.search(rf"policy\.csv{place}", server.log[before:]), fault
        assert verdict(server.authorize(ALICE)) == ALLOWED
        assert verdict(server.authorize(BOB)) == DENIED
        assert re.search(rf"policy\.csv{place}", server.get("/readyz?verbose").text), fault
        assert 'authsvc_reload_healthy{part="policy"} 0.0' in server.get("/metrics").text

    server.write_policy("# authsvc: empty\n")
    eventually(lambda: verdict(server.authorize(BOB)) == NO_OPINION, "meant to be empty")
    assert 'authsvc_reload_healthy{part="policy"} 1.0' in server.get("/metrics").text


def reload_failures(server: AuthsvcServer) -> float:
    """How often the policy could not be loaded."""
    found = re.search(
        r'^authsvc_reloads_total{part="policy",result="failure"} (\S+)$',
        server.get("/metrics").text,
        re.MULTILINE,
    )
    return float(found[1]) if found else 0.0


def test_a_file_that_comes_or_goes_is_a_change(start_authsvc: StartAuthsvc) -> None:
    server = start_authsvc(policy={"policy.csv": GOOD})

    server.write_policy("p, user:alice, *, pods, *, *, deny\n", "deny.csv")
    eventually(lambda: verdict(server.authorize(ALICE)) == DENIED, "a new file is read")
    (server.folder / "policy/deny.csv").unlink()
    eventually(lambda: verdict(server.authorize(ALICE)) == ALLOWED, "a file that went is forgotten")


def test_shadow_mode_never_decides_and_says_what_it_would_have(start_authsvc: StartAuthsvc) -> None:
    server = start_authsvc(
        policy={"policy.csv": GOOD}, settings={"authorization": {"mode": "Shadow"}}
    )

    for asked in (ALICE, BOB):
        assert server.authorize(asked) == {"allowed": False}

    eventually(lambda: len(server.decisions) == 2, "both are in the decision log")
    lines = server.decision_log.read_text().splitlines()
    assert [line["effect"] for line in server.decisions] == ["no opinion", "no opinion"]
    assert '"allow"' in lines[0]
    assert "policy.csv:1" in lines[0]
    assert '"deny"' in lines[1]
    assert "policy.csv:2" in lines[1]


# Reloads under load


def test_while_policies_reload_under_load_nothing_fails_and_nothing_is_half(
    start_authsvc: StartAuthsvc,
) -> None:
    """Two policies, each consistent in itself; an answer that mixes them would show."""
    first = "p, user:alice, *, pods, *, *, allow\np, user:alice, locked, pods, *, *, deny\n"
    second = "p, user:alice, locked, pods, *, *, allow\np, user:alice, *, pods, *, *, deny\n"
    padding = "".join(f"p, user:u{n}, ns{n}, pods, *, *, allow\n" for n in range(500))
    files = [{"a.csv": first + padding}, {"a.csv": padding + second}]
    # open: allowed by the first, denied by the second; locked: denied by both.
    asked = [spec("alice", "get", "pods", namespace) for namespace in ("open", "locked")]
    server = start_authsvc(policy=files[0])
    done = threading.Event()

    def ask() -> list[tuple[str, str]]:
        seen = []
        with server.connect_as_api_server() as connection:
            while not done.is_set():
                pair = []
                for one in asked:
                    answer = connection.post("/authorize", access_review(one))
                    assert answer.status == 200
                    pair.append(verdict(answer.json()["status"]))
                seen.append((pair[0], pair[1]))
        return seen

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            for number in range(4):
                server.write_policy(files[(number + 1) % 2]["a.csv"], "a.csv")
                expected = (DENIED, ALLOWED)[number % 2]
                eventually(lambda: verdict(server.authorize(asked[0])) == expected, "live")  # noqa: B023  called at once
        finally:
            done.set()
        seen = [pair for future in asking for pair in future.result()]

    assert {pair[0] for pair in seen} == {ALLOWED, DENIED}
    assert {pair[1] for pair in seen} == {DENIED}
