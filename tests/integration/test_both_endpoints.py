"""What holds for every review, whatever is asked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.reviews import (
    ENDPOINTS,
    PODS,
    TOKEN,
    assert_kubernetes_status,
    is_granted,
    review,
)
from tests.parts import https
from tests.parts.authsvc_server import (
    AuthsvcServer,
    StartAuthsvc,
)

MIB = 1024 * 1024
both_endpoints = pytest.mark.parametrize("path", ENDPOINTS)


# Methods, versions, what is no review


@both_endpoints
@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_each_version_is_answered_in_kind(
    granting_server: AuthsvcServer, path: str, version: str
) -> None:
    asked = review(path, version)

    answer = granting_server.post(path, asked)

    assert answer.status == 200
    assert answer.headers.get_content_type() == "application/json"
    assert answer.json()["apiVersion"] == asked["apiVersion"]
    assert answer.json()["kind"] == asked["kind"]
    assert is_granted(answer)


@both_endpoints
@pytest.mark.parametrize("query", ["?timeout=30s", "?", "?a=b&path=/livez", "?%00=%ff"])
def test_the_query_string_is_ignored(granting_server: AuthsvcServer, path: str, query: str) -> None:
    assert is_granted(granting_server.post(path + query, review(path)))


@both_endpoints
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
def test_other_methods_are_not_allowed(
    granting_server: AuthsvcServer, path: str, method: str
) -> None:
    with granting_server.connect_as_api_server() as connection:
        answer = connection.request(method, path, https.encode(review(path)))

    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "path", ["/", "/authenticate/", "/authorize/x", "/%61uthenticate", "//authorize"]
)
def test_other_paths_answer_no_review(granting_server: AuthsvcServer, path: str) -> None:
    """A misspelt URL must not look like a verdict: the API server would cache it."""
    endpoint = "/authenticate" if "uthen" in path else "/authorize"

    answer = granting_server.post(path, review(endpoint))

    assert answer.status >= 400 or is_granted(answer)


NOT_A_REVIEW: list[tuple[bytes, str]] = [
    (b"", "JSON"),
    (b"{", "JSON"),
    (b"not json", "JSON"),
    (b"\xff\xfe{}", "JSON"),
    (b'{"apiVersion":"v1","apiVersion":', "JSON"),
    (b"null", "object"),
    (b"[]", "object"),
    (b'"TokenReview"', "object"),
    (b"[" * 100_000, ""),
    (b'{"a":' * 100_000, ""),
]


@both_endpoints
@pytest.mark.parametrize(("body", "says"), NOT_A_REVIEW, ids=[str(b[:12]) for b, _ in NOT_A_REVIEW])
def test_a_body_that_is_no_json_object_is_a_bad_request(
    granting_server: AuthsvcServer, path: str, body: bytes, says: str
) -> None:
    assert says in assert_kubernetes_status(granting_server.post(path, body), 400)


@both_endpoints
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": "SelfSubjectReview"}, "kind"),
        ({"kind": 1}, "kind"),
        ({"kind": "tokenreview"}, "kind"),
        ({"apiVersion": "authentication.k8s.io/v2"}, "apiVersion"),
        ({"apiVersion": "v1"}, "apiVersion"),
        ({"apiVersion": ["authentication.k8s.io/v1"]}, "apiVersion"),
        ({"spec": None}, "spec"),
        ({"spec": []}, "spec"),
        ({"spec": "x"}, "spec"),
    ],
)
def test_an_envelope_that_is_wrong_is_a_bad_request_that_says_where(
    granting_server: AuthsvcServer, path: str, changes: dict[str, Any], says: str
) -> None:
    answer = granting_server.post(path, review(path, **changes))

    assert says in assert_kubernetes_status(answer, 400)


@both_endpoints
def test_a_missing_spec_is_a_bad_request(granting_server: AuthsvcServer, path: str) -> None:
    asked = review(path)
    del asked["spec"]

    assert "spec" in assert_kubernetes_status(granting_server.post(path, asked), 400)


def test_the_other_endpoint_s_kind_is_a_bad_request(granting_server: AuthsvcServer) -> None:
    crossed = granting_server.post("/authenticate", review("/authorize"))
    assert_kubernetes_status(crossed, 400)
    crossed = granting_server.post("/authorize", review("/authenticate"))
    assert_kubernetes_status(crossed, 400)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"token": 123}, "spec.token"),
        ({"token": ["a"]}, "spec.token"),
        ({"token": TOKEN, "audiences": "b"}, "spec.audiences"),
        ({"token": TOKEN, "audiences": [1]}, "spec.audiences[0]"),
    ],
)
def test_a_token_review_of_wrong_types_is_a_bad_request_that_says_where(
    granting_server: AuthsvcServer, spec: dict[str, Any], says: str
) -> None:
    answer = granting_server.post("/authenticate", review("/authenticate", spec=spec))

    assert says in assert_kubernetes_status(answer, 400)


POD = {"verb": "get", "resource": "pods"}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"user": "alice"}, "resourceAttributes"),
        (
            {**PODS, "nonResourceAttributes": {"path": "/", "verb": "get"}},
            "nonResourceAttributes",
        ),
        ({"user": 1, "resourceAttributes": POD}, "spec.user"),
        ({"user": "alice", "groups": "devs", "resourceAttributes": POD}, "spec.groups"),
        ({"user": "alice", "groups": [None], "resourceAttributes": POD}, "spec.groups[0]"),
        ({"user": "alice", "extra": {"a": "b"}, "resourceAttributes": POD}, "spec.extra"),
        ({"user": "alice", "resourceAttributes": []}, "spec.resourceAttributes"),
        ({"user": "alice", "resourceAttributes": {"verb": 1}}, "spec.resourceAttributes.verb"),
        ({"user": "alice", "nonResourceAttributes": {"path": {}}}, "nonResourceAttributes.path"),
        (
            {"user": "alice", "resourceAttributes": {**POD, "labelSelector": {"requirements": 1}}},
            "labelSelector.requirements",
        ),
    ],
)
def test_an_access_review_of_wrong_types_is_a_bad_request_that_says_where(
    granting_server: AuthsvcServer, spec: dict[str, Any], says: str
) -> None:
    answer = granting_server.post("/authorize", review("/authorize", spec=spec))

    assert says in assert_kubernetes_status(answer, 400)


# Unknown fields, sizes, slow bodies


@both_endpoints
def test_unknown_fields_are_ignored(granting_server: AuthsvcServer, path: str) -> None:
    asked = review(path, metadata={"uid": 7}, status={"user": []}, novelty=[None, {"a": 1}])
    asked["spec"] = {**asked["spec"], "serviceAccountBinding": {"new": True}}

    assert is_granted(granting_server.post(path, asked))


def padded(asked: dict[str, Any], size: int) -> bytes:
    """A review of exactly so many bytes."""
    body = https.encode(asked)
    return body + b" " * (size - len(body))


@both_endpoints
def test_a_body_of_the_limit_is_read(granting_server: AuthsvcServer, path: str) -> None:
    assert is_granted(granting_server.post(path, padded(review(path), 3 * MIB)))


@both_endpoints
def test_a_body_over_the_limit_is_refused_by_its_announced_length(
    granting_server: AuthsvcServer, path: str
) -> None:
    headers = [("Host", "127.0.0.1"), ("Content-Length", str(3 * MIB + 1))]
    with granting_server.connect_as_api_server() as connection:
        connection.send(https.head("POST", path, headers))
        answer = connection.receive()

    assert_kubernetes_status(answer, 413)


CHUNKED = [("Host", "127.0.0.1"), ("Transfer-Encoding", "chunked")]


@both_endpoints
def test_a_chunked_body_is_read(granting_server: AuthsvcServer, path: str) -> None:
    body = https.encode(review(path))
    with granting_server.connect_as_api_server() as connection:
        connection.send(https.head("POST", path, CHUNKED))
        for part in (body[:20], body[20:]):
            connection.send(b"%x\r\n%b\r\n" % (len(part), part))
        connection.send(b"0\r\n\r\n")

        answer = connection.receive()

    assert is_granted(answer)


@both_endpoints
def test_a_chunked_body_over_the_limit_is_refused(
    granting_server: AuthsvcServer, path: str
) -> None:
    """Without a Content-Length nobody says beforehand how much will come."""
    with granting_server.connect_as_api_server() as connection:
        connection.send(https.head("POST", path, CHUNKED))
        chunk = b"%x\r\n%b\r\n" % (MIB, b" " * MIB)
        connection.send(3 * chunk + b"1\r\n \r\n")

        answer = connection.receive()

    assert_kubernetes_status(answer, 413)


@both_endpoints
def test_half_sent_requests_do_not_hold_up_others(
    granting_server: AuthsvcServer, path: str
) -> None:
    head = https.head("POST", path, https.usual(https.encode(review(path))))
    starts = [b"", b"POST", head[:-2], head, head + b'{"kind":']
    slow = [granting_server.connect_as_api_server() for _ in range(60)]
    try:
        for number, connection in enumerate(slow):
            connection.send(starts[number % len(starts)])

        assert is_granted(granting_server.post(path, review(path)))
    finally:
        for connection in slow:
            connection.close()


def test_one_who_never_finishes_the_handshake_does_not_hold_up_others(
    granting_server: AuthsvcServer,
) -> None:
    silent = [https.connect(granting_server.port) for _ in range(20)]
    try:
        for connection in silent[::2]:
            connection.send(b"\x16\x03\x01\x02\x00\x01")  # the start of a ClientHello

        assert is_granted(granting_server.post("/authorize", review("/authorize")))
    finally:
        for connection in silent:
            connection.close()


@pytest.mark.parametrize("setting", ["headerTimeout", "bodyTimeout"])
def test_one_who_never_finishes_is_sent_away(start_authsvc: StartAuthsvc, setting: str) -> None:
    server = start_authsvc(settings={"server": {setting: "1s"}})
    head = https.head("POST", "/authorize", https.usual(b"{}"))
    with server.connect_as_api_server() as connection:
        connection.send(head if setting == "bodyTimeout" else head[:-2])

        try:
            status = connection.receive().status
        except ConnectionError:
            status = 408  # closed without a word: as good

        assert status == 408
        assert connection.is_closed_by_server()


@both_endpoints
def test_plain_http_gets_no_answer(granting_server: AuthsvcServer, path: str) -> None:
    with https.connect(granting_server.port) as connection:
        connection.send(https.head("POST", path, https.usual(b"{}")) + b"{}")

        assert connection.is_closed_by_server()
