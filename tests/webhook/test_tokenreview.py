"""TokenReview's handler as what it is: a function from bytes to a status and bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from authsvc.authn.cache import CachedTokenAuthenticator
from authsvc.errors import BackendError, NotReadyError
from authsvc.interfaces import Identity, UserInfo
from authsvc.webhook.decisionlog import DecisionLog
from authsvc.webhook.reviews import Answer
from authsvc.webhook.tokenreview import ERROR, TokenReviewHandler

VERSIONS = ["authentication.k8s.io/v1", "authentication.k8s.io/v1beta1"]


class Back:
    """A back end that knows ``good``."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.calls = 0

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        self.calls += 1
        if self.failure is not None:
            raise self.failure
        if token != "good":
            return None
        return Identity(UserInfo("alice", "1", ("a",)), tuple(audiences)[:1])


def handler(back: Back) -> TokenReviewHandler:
    cached = CachedTokenAuthenticator(back)
    return TokenReviewHandler(lambda: cached, DecisionLog("off"))


def review(token: str, version: str = VERSIONS[0], **spec: object) -> bytes:
    spec["token"] = token
    return json.dumps({"apiVersion": version, "kind": "TokenReview", "spec": spec}).encode()


def status_of(answer: Answer | None) -> dict[str, Any]:
    assert answer is not None
    assert answer.status == 200
    status: dict[str, Any] = json.loads(answer.body)["status"]
    return status


@pytest.mark.parametrize("version", VERSIONS)
def test_the_answer_is_in_the_version_of_the_request(version: str) -> None:
    for token in ("good", "bad"):
        answer = handler(Back()).handle(review(token, version))
        assert json.loads(answer.body)["apiVersion"] == version
        assert json.loads(answer.body)["kind"] == "TokenReview"


def test_a_good_token_is_its_users() -> None:
    status = status_of(handler(Back()).handle(review("good", audiences=["x", "y"])))
    assert status["authenticated"]
    assert status["user"]["username"] == "alice"
    assert status["audiences"] == ["x"]


def test_a_bad_token_is_a_verdict_without_an_error() -> None:
    assert status_of(handler(Back()).handle(review("bad"))) == {"authenticated": False}


def test_nothing_is_answered_promptly_that_has_to_be_asked() -> None:
    back = Back()
    reviews = handler(back)
    assert reviews.handle_nowait(review("good")) is None
    assert back.calls == 0
    first = reviews.handle(review("good"))
    assert reviews.handle_nowait(review("good")) == first
    assert back.calls == 1


def test_a_remembered_rejection_is_prompt_too() -> None:
    reviews = handler(Back())
    first = reviews.handle(review("bad"))
    assert reviews.handle_nowait(review("bad")) == first


@pytest.mark.parametrize(
    "failure", [BackendError("down"), NotReadyError("no table"), KeyError("a fault of ours")]
)
def test_no_verdict_is_an_error_that_says_nothing_and_is_asked_again(failure: Exception) -> None:
    back = Back(failure)
    reviews = handler(back)
    with capture_logs() as logged:
        for _ in range(2):
            assert status_of(reviews.handle(review("good"))) == {
                "authenticated": False,
                "error": ERROR,
            }
            assert reviews.handle_nowait(review("good")) is None
    assert back.calls == 2
    assert len(logged) == 2
    assert "good" not in json.dumps([str(line) for line in logged])


@pytest.mark.parametrize("version", VERSIONS)
def test_too_many_that_wait_are_no_verdict_either(version: str) -> None:
    back = Back()
    with capture_logs() as logged:
        answer = handler(back).busy(review("good", version))
    assert answer.status == 200
    assert json.loads(answer.body)["apiVersion"] == version
    assert status_of(answer) == {"authenticated": False, "error": ERROR}
    assert back.calls == 0
    assert [line["event"] for line in logged] == ["tokenreview_failed"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", review("x", "v9"), b'{"spec": {"token": 1}}'])
def test_what_is_no_review_is_400_at_once(body: bytes) -> None:
    reviews = handler(Back())
    answer = reviews.handle_nowait(body)
    assert answer is not None
    assert answer.status == 400
    assert answer == reviews.handle(body)
    assert json.loads(answer.body)["kind"] == "Status"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_the_body_nobody_is_authenticated_and_nothing_crashes(body: bytes) -> None:
    assert handler(Back()).handle(body).status == 400


@given(st.fixed_dictionaries({}, optional={"token": JSON, "audiences": JSON, "x": JSON}))
def test_whatever_the_spec_holds_but_a_good_token_is_not_authenticated(
    spec: dict[str, object],
) -> None:
    body = json.dumps({"kind": "TokenReview", "spec": spec}).encode()
    answer = handler(Back()).handle(body)
    assert answer.status in {200, 400}
    assert b'"authenticated":true' not in answer.body
