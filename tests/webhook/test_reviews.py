"""What holds before a review is read and after it is answered, whichever carrier brings it."""

from __future__ import annotations

import json

import pytest
from structlog.testing import capture_logs

from authsvc import metrics, tallies
from authsvc.webhook.reviews import Answer, ClientCheck, Endpoint, failure
from tests.webhook.carriers import CARRIERS, Carrier, RefusesTooLarge, by_asgi, by_wsgi

API_SERVER = ClientCheck(required=True, allowed_names=frozenset({"kube-apiserver"}))
ANYBODY = ClientCheck()


class Echo(RefusesTooLarge):
    """Answers with what it was asked, promptly or not; fails where it is told to."""

    def __init__(self, *, nowait: bool = True, fault: Exception | None = None) -> None:
        self.bodies: list[bytes] = []
        self._nowait = nowait
        self._fault = fault

    def handle_nowait(self, body: bytes) -> Answer | None:
        return self.handle(body) if self._nowait else None

    def handle(self, body: bytes) -> Answer:
        self.bodies.append(body)
        if self._fault is not None:
            raise self._fault
        return Answer(200, body)

    def busy(self, body: bytes) -> Answer:
        raise AssertionError(f"nothing is busy: {body!r}")


@pytest.fixture(params=CARRIERS)
def ask(request: pytest.FixtureRequest) -> Carrier:
    carrier: Carrier = CARRIERS[request.param]
    return carrier


@pytest.mark.parametrize("nowait", [True, False], ids=["at once", "slow"])
def test_a_body_gets_to_the_handler_whole(ask: Carrier, nowait: bool) -> None:
    echo = Echo(nowait=nowait)
    got = ask(Endpoint("test", echo, ANYBODY, 100), b'{"kind": "x"}')
    assert (got.status, got.body) == (200, b'{"kind": "x"}')
    assert echo.bodies == [b'{"kind": "x"}']
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-length"] == "13"


@pytest.mark.parametrize(
    ("names", "status"),
    [(None, 401), ([], 403), (["mallory"], 403), (["x", "kube-apiserver"], 200)],
)
def test_only_a_client_on_the_list_may_ask(
    ask: Carrier, names: list[str] | None, status: int
) -> None:
    echo = Echo()
    got = ask(Endpoint("test", echo, API_SERVER, 100), b"{}", names=names)
    assert got.status == status
    assert bool(echo.bodies) is (status == 200)


def test_without_a_list_any_certificate_of_the_client_ca_will_do(ask: Carrier) -> None:
    endpoint = Endpoint("test", Echo(), ClientCheck(required=True), 100)
    assert ask(endpoint, names=["whoever"]).status == 200
    assert ask(endpoint, names=None).status == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_and_told_which_is_right(ask: Carrier, method: str) -> None:
    got = ask(Endpoint("test", Echo(), ANYBODY, 100), method=method)
    assert got.status == 405
    assert got.headers["allow"] == "POST"
    assert json.loads(got.body)["reason"] == "MethodNotAllowed"


def test_who_may_not_ask_learns_nothing_of_methods(ask: Carrier) -> None:
    assert ask(Endpoint("test", Echo(), API_SERVER, 100), method="GET").status == 401


def test_a_body_of_the_largest_size_is_read(ask: Carrier) -> None:
    assert ask(Endpoint("test", Echo(), ANYBODY, 100), b"x" * 100, length=100).status == 200


@pytest.mark.parametrize("length", [101, None], ids=["announced", "unannounced"])
def test_a_body_over_the_limit_never_gets_to_the_handler(ask: Carrier, length: int | None) -> None:
    echo = Echo()
    got = ask(Endpoint("test", echo, ANYBODY, 100), b"x" * 101, length=length)
    assert got.status == 413
    assert json.loads(got.body)["message"] == "the body is over 100 bytes"
    assert echo.bodies == []


@pytest.mark.parametrize("nowait", [True, False], ids=["at once", "slow"])
def test_a_fault_of_ours_is_503_which_the_api_server_does_not_ask_again(
    ask: Carrier, nowait: bool
) -> None:
    echo = Echo(nowait=nowait, fault=RuntimeError("canary"))
    with capture_logs() as logged:
        got = ask(Endpoint("test", echo, ANYBODY, 100))
    assert got.status == 503
    assert "retry-after" not in got.headers
    assert b"canary" not in got.body
    assert [(line["event"], line["endpoint"]) for line in logged] == [("review_crashed", "test")]
    assert len(echo.bodies) == 1


def test_every_answer_is_counted_by_its_status(ask: Carrier) -> None:
    endpoint = Endpoint("counted", Echo(), API_SERVER, 100)

    def count(status: int) -> float:
        tallies.publish()
        return float(metrics.REQUESTS.labels("counted", str(status))._value.get())

    before = {status: count(status) for status in (200, 401, 413)}
    ask(endpoint, names=["kube-apiserver"])
    ask(endpoint)
    ask(endpoint, b"x" * 101, names=["kube-apiserver"])
    assert {status: count(status) - before[status] for status in before} == {200: 1, 401: 1, 413: 1}


@pytest.mark.parametrize("method", ["POST", "GET", "OPTIONS", "DELETE"])
@pytest.mark.parametrize("names", [None, ["mallory"], ["kube-apiserver"]])
@pytest.mark.parametrize("body", [b"", b"{}", b"x" * 101, "é".encode()])
def test_both_carriers_give_the_same_answer(
    method: str, names: list[str] | None, body: bytes
) -> None:
    endpoint = Endpoint("test", Echo(), API_SERVER, 100)
    asgi = by_asgi(endpoint, body, method, names, len(body))
    flask = by_wsgi(endpoint, body, method, names, len(body))
    assert (asgi.status, asgi.body) == (flask.status, flask.body)
    assert {**asgi.headers, "connection": ""} == {**flask.headers, "connection": ""}


def test_a_failure_is_a_kubernetes_status() -> None:
    answer = failure(413, "too much")
    assert answer.status == 413
    assert json.loads(answer.body)["message"] == "too much"
