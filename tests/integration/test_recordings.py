"""Every request that a real API server was seen to send, and the verdict it must get."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.integration.access import verdict
from tests.parts import https
from tests.parts.authsvc_server import AuthsvcServer, running

RECORDINGS = Path(__file__).parents[1] / "recordings"


class Recorded(NamedTuple):
    """A request as it was sent, ready to be sent again."""

    case: tuple[str, ...]
    query: str
    headers: https.Headers
    body: bytes

    def replay(self, connection: https.Connection, path: str) -> https.Answer:
        return connection.request("POST", path + self.query, self.body, self.headers)


def read(kind: str) -> list[Recorded]:
    """Return the recorded requests of a kind, in their order."""
    recorded = []
    for line in (RECORDINGS / f"{kind}.jsonl").read_text().splitlines():
        entry = json.loads(line)
        request = entry["request"]
        assert request["method"] == "POST"
        _, mark, query = request["path"].partition("?")
        # HTTP/2 has the host in a pseudo-header (RFC 9113 8.3.1).
        headers = [
            ("Host" if name == ":authority" else name, value)
            for name, value in request["headers"]
            if name == ":authority" or not name.startswith(":")
        ]
        case = (entry["setup"], entry["case"], str(entry.get("part", "")))
        recorded.append(Recorded(case, mark + query, headers, request["body"].encode()))
    return recorded


def read_verdicts(name: str) -> dict[tuple[str, ...], dict[str, str]]:
    """Return what is expected, by setup, case and part."""
    with (RECORDINGS / f"{name}.csv").open(newline="") as file:
        return {(row["setup"], row["case"], row["part"]): row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthsvcServer]:
    with running(
        tmp_path_factory.mktemp("authsvc"),
        tokens=(RECORDINGS / "tokens.csv").read_text(),
        policy={file.name: file.read_text() for file in (RECORDINGS / "policy").iterdir()},
        settings={
            "authentication": {
                "audiences": ["https://kubernetes.default.svc", "https://api.example"]
            }
        },
    ) as server:
        yield server


def assert_answers(recorded: Recorded, answer: https.Answer) -> dict[str, Any]:
    """Return the status of a review that answers what was asked."""
    asked, answered = json.loads(recorded.body), answer.json()
    assert answer.status == 200, recorded.case
    assert answer.headers.get_content_type() == "application/json"
    assert answered["kind"] == asked["kind"]
    assert answered["apiVersion"] == asked["apiVersion"]
    status: dict[str, Any] = answered["status"]
    return status


def describe(status: dict[str, Any]) -> dict[str, str]:
    """Put a TokenReview's status as token-verdicts.csv does."""
    assert "error" not in status
    if not status["authenticated"]:
        assert status == {"authenticated": False}
        return {"verdict": "rejected", "username": "", "uid": "", "groups": "", "audiences": ""}
    user = status["user"]
    return {
        "verdict": "authenticated",
        "username": user["username"],
        "uid": user["uid"],
        "groups": "|".join(user["groups"]),
        "audiences": "|".join(status["audiences"]),
    }


def test_all_59_token_reviews_get_their_verdict(server: AuthsvcServer) -> None:
    recordings, expected = read("tokenreview"), read_verdicts("token-verdicts")
    assert len(recordings) == len(expected) == 59

    wrong = []
    with server.connect_as_api_server() as connection:
        for recorded in recordings:
            status = assert_answers(recorded, recorded.replay(connection, "/authenticate"))
            found = describe(status)
            if not found.items() <= expected[recorded.case].items():
                wrong.append((expected[recorded.case], found))

    assert wrong == []


def test_all_381_access_reviews_get_their_verdict(server: AuthsvcServer) -> None:
    recordings, expected = read("subjectaccessreview"), read_verdicts("access-verdicts")
    assert len(recordings) == len(expected) == 381

    wrong = []
    with server.connect_as_api_server() as connection:
        for recorded in recordings:
            status = assert_answers(recorded, recorded.replay(connection, "/authorize"))
            if verdict(status) != expected[recorded.case]["verdict"]:
                wrong.append((expected[recorded.case], status))

    assert wrong == []


def test_the_verdicts_are_of_all_sorts_and_versions() -> None:
    """A table of verdicts that are all alike would prove nothing."""
    verdicts = [row["verdict"] for row in read_verdicts("access-verdicts").values()]
    assert min(verdicts.count(one) for one in ("allowed", "denied", "no opinion")) > 10
    for kind in ("tokenreview", "subjectaccessreview"):
        bodies = [json.loads(recorded.body) for recorded in read(kind)]
        versions = [body["apiVersion"].rpartition("/")[2] for body in bodies]
        assert min(versions.count(version) for version in ("v1", "v1beta1")) > 20
