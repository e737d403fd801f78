"""TokenReviews on the wire: who a token belongs to."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from tests.parts.authsvc_server import AuthsvcServer, StartAuthsvc, running, token_review
from tests.parts.waiting import eventually

HASHED = "not-kept-in-clear"
TOKENS = f"""\
# Kubernetes' own form
alice-token,alice,1001,"qa,devs,qa,ops"
bob-token,bob,1002
carol-token,carol,1003,devs
"comma,token",dave,1004,"a b,c"
naïve-tökén,éva,1005,grüppe
sha256:{hashlib.sha256(HASHED.encode()).hexdigest()},harry,1006,hashed
masters-token,root,0,"system:masters,devs"
mixed-case-token,root2,0,"System:Masters, system:masters,SYSTEM:nodes,devs"
node-token,system:node:worker-1,0,devs
upper-node-token,SYSTEM:node:worker-1,0
spaced-node-token," system:kube-scheduler",0
anonymous-token,system:anonymous,0
full-width-token,\uff53ystem:admin,0
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthsvcServer]:
    with running(tmp_path_factory.mktemp("authsvc"), tokens=TOKENS) as server:
        yield server


def assert_rejected(status: dict[str, Any]) -> None:
    """NO: the API server remembers it, and learns nothing else."""
    assert status == {"authenticated": False}


def username(status: dict[str, Any]) -> str | None:
    return status["user"]["username"] if status["authenticated"] else None


# Empty tokens and huge ones


@pytest.mark.parametrize(
    "token", ["", " ", "nobody's", "alice-token ", " alice-token", "ALICE-TOKEN"]
)
def test_a_token_that_is_nobody_s_is_rejected(server: AuthsvcServer, token: str) -> None:
    assert_rejected(server.authenticate(token))


def test_a_token_over_16_kib_is_rejected_though_the_table_has_it(
    start_authsvc: StartAuthsvc,
) -> None:
    longest, too_long = "x" * 16 * 1024, "y" * (16 * 1024 + 1)
    server = start_authsvc(tokens=f"{longest},alice,1\n{too_long},bob,2\n")

    assert username(server.authenticate(longest)) == "alice"
    assert_rejected(server.authenticate(too_long))


def test_a_rejection_holds_nothing_but_the_verdict(server: AuthsvcServer) -> None:
    answers = {
        server.post("/authenticate", token_review(token)).body
        for token in ("", "nobody's", "x" * 20_000, "node-token")
    }

    assert len(answers) == 1


# Audiences


@pytest.fixture(scope="module")
def bound_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthsvcServer]:
    with running(
        tmp_path_factory.mktemp("authsvc"),
        tokens=TOKENS,
        settings={"authentication": {"audiences": ["b", "https://kubernetes.default.svc"]}},
    ) as server:
        yield server


def test_the_answer_names_the_audiences_that_were_asked_for_and_are_ours(
    bound_server: AuthsvcServer,
) -> None:
    assert bound_server.authenticate("alice-token", ["a", "b"])["audiences"] == ["b"]


def test_disjoint_audiences_are_a_rejection(bound_server: AuthsvcServer) -> None:
    assert_rejected(bound_server.authenticate("alice-token", ["a", "c"]))
    assert_rejected(bound_server.authenticate("alice-token", [""]))


def test_a_token_cached_for_one_audience_is_not_good_for_another(
    bound_server: AuthsvcServer,
) -> None:
    for _ in range(3):
        assert bound_server.authenticate("carol-token", ["b"])["authenticated"]
        assert_rejected(bound_server.authenticate("carol-token", ["elsewhere"]))


def test_whoever_asks_for_no_audience_gets_a_verdict(bound_server: AuthsvcServer) -> None:
    assert bound_server.authenticate("alice-token")["authenticated"]


# Groups


def test_groups_are_sorted_and_unique(server: AuthsvcServer) -> None:
    user = server.authenticate("alice-token")["user"]

    assert (user["username"], user["uid"]) == ("alice", "1001")
    assert user["groups"] == ["devs", "ops", "qa"]


def test_a_user_without_groups_gets_an_empty_list(server: AuthsvcServer) -> None:
    assert server.authenticate("bob-token")["user"]["groups"] == []


# Names of the control plane


@pytest.mark.parametrize(
    "token", ["node-token", "upper-node-token", "spaced-node-token", "anonymous-token"]
)
def test_a_user_of_the_control_plane_is_rejected(server: AuthsvcServer, token: str) -> None:
    assert_rejected(server.authenticate(token))


@pytest.mark.parametrize("token", ["masters-token", "mixed-case-token"])
def test_groups_of_the_control_plane_are_never_in_the_answer(
    server: AuthsvcServer, token: str
) -> None:
    status = server.authenticate(token)

    assert status["user"]["groups"] == ["devs"]


def test_a_name_that_only_looks_like_the_control_plane_s_is_never_that(
    server: AuthsvcServer,
) -> None:
    """What a person reads as system:admin in an audit log is refused, or is told apart."""
    assert username(server.authenticate("full-width-token")) != "system:admin"


# The cache, and many at once


def test_equal_tokens_at_once_get_equal_answers(server: AuthsvcServer) -> None:
    with ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(server.authenticate, ["alice-token"] * 50))

    assert all(answer == answers[0] for answer in answers)
    assert username(answers[0]) == "alice"


def test_two_hundred_interleaved_reviews_of_two_users_never_mix(server: AuthsvcServer) -> None:
    barrier = threading.Barrier(10)

    def ask_in_turn(number: int) -> list[tuple[str, str | None]]:
        seen = []
        with server.connect_as_api_server() as connection:
            barrier.wait()
            for turn in range(20):
                name = ("alice", "carol")[(number + turn) % 2]
                answer = connection.post("/authenticate", token_review(f"{name}-token"))
                seen.append((name, username(answer.json()["status"])))
        return seen

    with ThreadPoolExecutor(10) as pool:
        seen = [pair for pairs in pool.map(ask_in_turn, range(10)) for pair in pairs]

    assert len(seen) == 200
    assert all(asked == answered for asked, answered in seen)


def test_after_a_change_of_the_configuration_nothing_of_the_old_one_is_answered(
    start_authsvc: StartAuthsvc,
) -> None:
    """The positive answer is in the cache, whose TTL is far away."""
    long = {"cache": {"ttl": "1h", "rejectedTTL": "1h"}}
    server = start_authsvc(tokens="alice-token,alice,1\n", settings={"authentication": long})
    assert server.authenticate("alice-token", ["a"])["authenticated"]
    assert_rejected(server.authenticate("bob-token", ["a"]))

    server.configure({"authentication": {**long, "audiences": ["b"]}})

    eventually(lambda: not server.authenticate("alice-token", ["a"])["authenticated"], "live")
    assert server.authenticate("alice-token", ["a", "b"])["audiences"] == ["b"]


# One provider after another


def two_tables(first: str, second: str) -> dict[str, Any]:
    """Two authenticators, in order."""
    return {
        "authentication": {
            "authenticators": [
                {"name": name, "type": "StaticTokens", "staticTokens": {"file": file}}
                for name, file in (("first", first), ("second", second))
            ]
        }
    }


def test_each_authenticator_is_asked_until_one_knows(start_authsvc: StartAuthsvc) -> None:
    server = start_authsvc(
        tokens="alice-token,alice,1\nboth-token,first,2\n",
    )
    (server.folder / "more.csv").write_text("bob-token,bob,3\nboth-token,second,4\n")
    server.configure(two_tables("tokens.csv", "more.csv"))

    eventually(lambda: username(server.authenticate("bob-token")) == "bob", "live")
    assert username(server.authenticate("alice-token")) == "alice"
    assert username(server.authenticate("both-token")) == "first"
    assert_rejected(server.authenticate("nobody's"))


# The table of tokens


@pytest.mark.parametrize(
    ("token", "name", "groups"),
    [
        ("comma,token", "dave", ["a b", "c"]),
        ("naïve-tökén", "éva", ["grüppe"]),
        (HASHED, "harry", ["hashed"]),
    ],
)
def test_each_form_of_a_row_is_read(
    server: AuthsvcServer, token: str, name: str, groups: list[str]
) -> None:
    user = server.authenticate(token)["user"]

    assert (user["username"], user["groups"]) == (name, groups)


def test_a_hash_is_no_token(server: AuthsvcServer) -> None:
    """Whoever reads the table must not be able to log in with what they read."""
    digest = hashlib.sha256(HASHED.encode()).hexdigest()

    assert_rejected(server.authenticate(f"sha256:{digest}"))
    assert_rejected(server.authenticate(digest))


def test_a_good_edit_is_live_without_a_restart(start_authsvc: StartAuthsvc) -> None:
    server = start_authsvc(
        tokens="old-token,alice,1\nleaver-token,larry,2\n", settings={"server": {"workers": 2}}
    )
    for token in ("old-token", "leaver-token"):
        assert server.authenticate(token)["authenticated"]
    assert_rejected(server.authenticate("new-token"))

    server.write_tokens("old-token,alice,1\nnew-token,nora,3\n")

    # Several in a row, since each of the two workers has to have seen it.
    eventually(
        lambda: all(username(server.authenticate("new-token")) == "nora" for _ in range(8)),
        "the edit is live in every worker, whatever was cached",
    )
    for _ in range(8):
        assert_rejected(server.authenticate("leaver-token"))
        assert username(server.authenticate("old-token")) == "alice"


FAULTS = [
    ("alice-token,alice,1\nalice-token,mallory,2\n", 2),
    ("alice-token,alice,1\n\nnameless-token,,2\n", 3),
    ("alice-token,alice,1\nshort-token\n", 2),
    ('alice-token,alice,1\n"unclosed,bob,2\n', 2),
]


def test_a_table_with_a_fault_is_refused_with_its_place_and_the_old_one_stays(
    start_authsvc: StartAuthsvc,
) -> None:
    server = start_authsvc(tokens="good-token,grace,1\n")

    for text, line in FAULTS:
        before = len(server.log)
        server.write_tokens(text)
        place = re.compile(rf"tokens\.csv:{line}\b")
        eventually(lambda: place.search(server.log, before), f"the place of {text!r} is logged")  # noqa: B023  called at once

        assert username(server.authenticate("good-token")) == "grace"
        assert_rejected(server.authenticate("alice-token"))
        detail = server.get("/readyz?verbose")
        assert detail.status == 200
        assert place.search(detail.text)

    server.write_tokens("good-token,gabriel,2\n")
    eventually(lambda: username(server.authenticate("good-token")) == "gabriel", "mended")
    assert "tokens.csv:" not in server.get("/readyz?verbose").text


def test_all_faults_of_a_table_are_told_at_once(start_authsvc: StartAuthsvc) -> None:
    server = start_authsvc(tokens="good-token,grace,1\n")

    server.write_tokens("a\nt,alice,1\nt,bob,2\nu,,3\n")

    eventually(lambda: "tokens.csv:4" in server.log, "the last fault is logged")
    places = [server.log.index(f"tokens.csv:{line}") for line in (1, 3, 4)]
    assert all(one < next_one for one, next_one in pairwise(places))
