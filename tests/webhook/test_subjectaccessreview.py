"""SubjectAccessReview's handler as what it is: a function from bytes to a status and bytes."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from authsvc.errors import NotReadyError
from authsvc.interfaces import Attributes, Authorizer, Decision, Effect
from authsvc.webhook.decisionlog import DecisionLog
from authsvc.webhook.reviews import BEGINNING, Answer, ClientCheck, Endpoint
from authsvc.webhook.subjectaccessreview import LARGE, SubjectAccessReviewHandler

VERSIONS = ["authorization.k8s.io/v1", "authorization.k8s.io/v1beta1"]


class Says:
    """Allows get to alice, denies delete to everybody, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Attributes] = []

    def authorize(self, attributes: Attributes) -> Decision:
        self.asked.append(attributes)
        if attributes.verb == "delete":
            return Decision(Effect.DENY, "denied by a.csv:2", ("a.csv:2",))
        if attributes.user.username == "alice" and attributes.verb == "get":
            return Decision(Effect.ALLOW, "allowed by a.csv:1", ("a.csv:1",))
        return Decision(Effect.NO_OPINION)


class Fails:
    """Fails always the same."""

    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    def authorize(self, attributes: Attributes) -> Decision:  # noqa: ARG002  the protocol's signature
        raise self._failure


class Current(NamedTuple):
    authorizer: Authorizer
    decides_quickly: bool = True


def handler(authorizer: Authorizer | None = None) -> SubjectAccessReviewHandler:
    current = Current(authorizer or Says())
    return SubjectAccessReviewHandler(lambda: current, DecisionLog("off"))


def review(verb: str = "get", user: str = "alice", version: str = VERSIONS[0]) -> bytes:
    return json.dumps(
        {
            "apiVersion": version,
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": {"verb": verb, "resource": "pods"}},
        }
    ).encode()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("verb", "user", "status"),
    [
        ("get", "alice", {"allowed": True, "reason": "allowed by a.csv:1"}),
        ("delete", "alice", {"allowed": False, "denied": True, "reason": "denied by a.csv:2"}),
        ("get", "bob", {"allowed": False}),
    ],
)
def test_a_decision_is_answered_in_the_version_of_the_request(
    version: str, verb: str, user: str, status: dict[str, object]
) -> None:
    answer = handler().handle(review(verb, user, version))
    assert answer.status == 200
    assert json.loads(answer.body) == {
        "kind": "SubjectAccessReview",
        "apiVersion": version,
        "status": status,
    }


def test_every_review_is_answered_promptly() -> None:
    assert handler().handle_nowait(review()) == handler().handle(review())


def test_an_authorizer_that_takes_its_time_is_not_asked_on_the_event_loop() -> None:
    authorizer = Says()
    current = Current(authorizer, decides_quickly=False)
    slow = SubjectAccessReviewHandler(lambda: current, DecisionLog("off"))
    assert slow.handle_nowait(review()) is None
    assert authorizer.asked == []
    assert slow.handle(review()).status == 200


@pytest.mark.parametrize("method", ["handle_nowait", "handle"])
def test_without_a_policy_the_answer_is_503(method: str) -> None:
    with capture_logs():
        answer = getattr(handler(Fails(NotReadyError("policy: not loaded"))), method)(review())
    assert answer.status == 503
    assert json.loads(answer.body)["message"] == "no policy is loaded"


def test_no_service_yet_is_503_too() -> None:
    def current() -> NoReturn:
        raise NotReadyError("configuration: not loaded")

    early = SubjectAccessReviewHandler(current, DecisionLog("off"))
    endpoint = Endpoint("authorize", early, ClientCheck(), 1000)
    with capture_logs():
        for answer in (endpoint.handle(review()), endpoint.handle_nowait(review())):
            assert answer is not None
            assert answer.status == 503


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", review(version="v9"), b'{"spec": {"user": "alice"}}']
)
def test_what_is_no_review_is_400_and_nobody_is_asked(body: bytes) -> None:
    authorizer = Says()
    answer = handler(authorizer).handle(body)
    assert answer.status == 400
    assert json.loads(answer.body)["kind"] == "Status"
    assert authorizer.asked == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["user", "groups", "resourceAttributes", "nonResourceAttributes", "extra"]


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_the_body_nothing_is_allowed_and_nothing_crashes(body: bytes) -> None:
    assert handler().handle(body).status == 400


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_whatever_the_spec_holds_it_is_answered_without_a_crash(spec: dict[str, object]) -> None:
    body = json.dumps({"kind": "SubjectAccessReview", "spec": spec}).encode()
    answer = handler().handle(body)
    assert answer.status in {200, 400}
    assert not (b'"allowed":true' in answer.body and spec.get("user") != "alice")


def asking_for(size: int, version: str = VERSIONS[0]) -> bytes:
    """Return a review as an API server writes it, with a label selector of about ``size`` bytes."""
    requirement = b'{"key":"a","operator":"DoesNotExist"}'
    return (
        b'{"kind":"SubjectAccessReview","apiVersion":"%s","metadata":{},"spec":'
        b'{"resourceAttributes":{"namespace":"prod","verb":"get","resource":"secrets",'
        b'"labelSelector":{"requirements":[%s]}},"user":"alice","groups":["g"]}}'
    ) % (version.encode(), b",".join([requirement] * (size // len(requirement))))


def is_denied(answer: Answer, version: str = VERSIONS[0]) -> bool:
    got = json.loads(answer.body)
    status = got["status"]
    return answer.status == 200 and got["apiVersion"] == version and status["denied"] is True


def test_a_large_review_is_decided_and_holds_up_no_other() -> None:
    reviews = handler()
    assert reviews.handle_nowait(asking_for(2 * LARGE)) is None
    assert json.loads(reviews.handle(asking_for(2 * LARGE)).body)["status"]["allowed"] is True


@pytest.mark.parametrize("version", VERSIONS)
def test_large_reviews_that_cannot_be_decided_soon_are_denied(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("authsvc.webhook.subjectaccessreview._LARGE_WAIT_SECONDS", 0.01)
    entered, may_go_on = threading.Event(), threading.Event()

    class Waits(Says):
        def authorize(self, attributes: Attributes) -> Decision:
            entered.set()
            assert may_go_on.wait(20)
            return super().authorize(attributes)

    reviews = handler(Waits())
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(reviews.handle, asking_for(2 * LARGE))
        assert entered.wait(20)
        assert is_denied(reviews.handle(asking_for(2 * LARGE, version)), version)
        may_go_on.set()
        assert json.loads(first.result().body)["status"]["allowed"] is True
    assert is_denied(reviews.busy(asking_for(2 * LARGE, version)), version)
    assert reviews.busy(review()).status == 503


@pytest.mark.parametrize("version", VERSIONS)
def test_what_asks_for_more_than_can_be_read_is_denied(version: str) -> None:
    beginning = asking_for(4 * BEGINNING, version)[:BEGINNING]
    assert is_denied(handler().too_large(beginning, 1000), version)
    path = b'{"spec":{"nonResourceAttributes":{"path":"/' + b"x" * BEGINNING
    assert is_denied(handler().too_large(path, 1000))


@pytest.mark.parametrize(
    "beginning",
    [b" " * BEGINNING, review() + b" " * BEGINNING, b'{"kind":"TokenReview"', b"\xff"],
    ids=["nothing", "a padded review", "another kind", "not UTF-8"],
)
def test_other_bodies_over_the_limit_are_refused(beginning: bytes) -> None:
    assert handler().too_large(beginning, 1000).status == 413
