"""TokenReview on the wire."""

from __future__ import annotations

import json

import pytest

from authsvc.api import authentication
from authsvc.errors import InvalidReviewError
from authsvc.interfaces import Identity, UserInfo

VERSIONS = ["authentication.k8s.io/v1", "authentication.k8s.io/v1beta1"]


def review(**spec: object) -> bytes:
    return json.dumps({"apiVersion": VERSIONS[0], "kind": "TokenReview", "spec": spec}).encode()


def test_a_review_holds_a_token_and_the_audiences_asked_for() -> None:
    parsed = authentication.parse(review(token="t", audiences=["a", "b"]))
    assert (parsed.token, parsed.audiences) == ("t", ("a", "b"))


@pytest.mark.parametrize("spec", [{}, {"audiences": None}, {"token": "", "audiences": []}])
def test_what_is_absent_null_or_empty_is_empty(spec: dict[str, object]) -> None:
    parsed = authentication.parse(review(**spec))
    assert (parsed.token, parsed.audiences) == ("", ())


def test_unknown_fields_are_ignored() -> None:
    body = {
        "apiVersion": VERSIONS[1],
        "kind": "TokenReview",
        "metadata": {"creationTimestamp": None},
        "spec": {"token": "t", "boundObjectRef": {"kind": "Pod"}},
        "status": {"authenticated": True},
    }
    assert authentication.parse(json.dumps(body).encode()).token == "t"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"{}", "spec"),
        (b'{"spec": null}', "spec"),
        (b'{"spec": "t"}', "spec"),
        (review(token=123), "spec.token"),
        (review(token=None), "spec.token"),
        (review(audiences="a"), "spec.audiences"),
        (review(audiences=["a", 1]), "spec.audiences[1]"),
        (b'{"kind": "SubjectAccessReview", "spec": {}}', "kind"),
        (b'{"apiVersion": "authentication.k8s.io/v2", "spec": {}}', "apiVersion"),
        (b'{"apiVersion": 1, "spec": {}}', "apiVersion"),
    ],
)
def test_what_is_no_review_is_refused_with_its_place(body: bytes, path: str) -> None:
    with pytest.raises(InvalidReviewError) as caught:
        authentication.parse(body)
    assert caught.value.path.replace("[...]", "[1]") == path


def test_an_error_does_not_quote_the_token() -> None:
    with pytest.raises(InvalidReviewError) as caught:
        authentication.parse(b'{"spec": {"token": ["canary"]}}')
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_good_token_is_answered_with_its_user(version: str) -> None:
    user = UserInfo("alice", "1001", ("a", "b"), {"Example.org/Team": ("x",)})
    answer = json.loads(
        authentication.render_authenticated(version, Identity(user, ("aud",), 99.0))
    )
    assert answer == {
        "kind": "TokenReview",
        "apiVersion": version,
        "status": {
            "authenticated": True,
            "user": {
                "username": "alice",
                "uid": "1001",
                "groups": ["a", "b"],
                "extra": {"example.org/team": ["x"]},
            },
            "audiences": ["aud"],
        },
    }


def test_a_user_without_groups_has_an_empty_list_of_them() -> None:
    answer = authentication.render_authenticated(VERSIONS[0], Identity(UserInfo("alice")))
    status = json.loads(answer)["status"]
    assert status["user"]["groups"] == []
    assert "audiences" not in status  # absent: the API server's own


@pytest.mark.parametrize("version", VERSIONS)
def test_a_rejection_has_no_user_and_no_error_so_that_it_is_cached(version: str) -> None:
    answer = json.loads(authentication.render_rejected(version))
    assert answer == {
        "kind": "TokenReview",
        "apiVersion": version,
        "status": {"authenticated": False},
    }


def test_a_failure_has_an_error_so_that_it_is_not_cached() -> None:
    status = json.loads(authentication.render_error(VERSIONS[0], "try again"))["status"]
    assert status == {"authenticated": False, "error": "try again"}
