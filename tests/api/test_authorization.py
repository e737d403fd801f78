"""SubjectAccessReview on the wire."""

from __future__ import annotations

import json

import pytest

from authsvc.api import authorization
from authsvc.errors import InvalidReviewError
from authsvc.interfaces import NO_OPINION, Attributes, Decision, Effect, Requirement, UserInfo

V1, V1BETA1 = "authorization.k8s.io/v1", "authorization.k8s.io/v1beta1"
PODS = {"verb": "get", "resource": "pods"}


def review(version: str = V1, **spec: object) -> bytes:
    return json.dumps({"apiVersion": version, "kind": "SubjectAccessReview", "spec": spec}).encode()


def asked(version: str = V1, **spec: object) -> Attributes:
    return authorization.parse(review(version, **spec)).attributes


def test_a_resource_request_has_all_its_fields() -> None:
    attributes = asked(
        user="alice",
        uid="1001",
        groups=["b", "a"],
        extra={"key": ["x", "y"]},
        resourceAttributes={
            "namespace": "ns",
            "verb": "update",
            "group": "apps",
            "version": "v1",
            "resource": "deployments",
            "subresource": "scale",
            "name": "web",
        },
    )
    assert attributes == Attributes(
        user=UserInfo("alice", "1001", ("b", "a"), {"key": ("x", "y")}),
        verb="update",
        resource_request=True,
        namespace="ns",
        api_group="apps",
        api_version="v1",
        resource="deployments",
        subresource="scale",
        name="web",
    )


def test_a_path_is_taken_as_it_came() -> None:
    attributes = asked(user="alice", nonResourceAttributes={"path": "//a/../b", "verb": "get"})
    assert attributes == Attributes(UserInfo("alice"), "get", False, path="//a/../b")


@pytest.mark.parametrize(
    ("version", "spec", "groups"),
    [
        (V1, {"groups": ["a"]}, ("a",)),
        (V1BETA1, {"group": ["a"]}, ("a",)),
        (V1BETA1, {"groups": ["a"]}, ()),
        (V1, {"group": ["a"]}, ()),
        (V1, {"groups": ["a"], "group": ["b"]}, ("a",)),
        (V1BETA1, {"groups": ["a"], "group": ["b"]}, ("b",)),
        (V1, {"groups": None}, ()),
        (V1BETA1, {"group": None}, ()),
        (V1, {}, ()),
    ],
)
def test_each_version_has_its_own_spelling_of_groups(
    version: str, spec: dict[str, object], groups: tuple[str, ...]
) -> None:
    assert asked(version, resourceAttributes=PODS, **spec).user.groups == groups


@pytest.mark.parametrize(
    ("version", "spec"), [(V1, {"groups": ["a"]}), (V1BETA1, {"group": ["a"]})]
)
def test_what_is_kept_of_a_review_can_be_asked_again_as_v1(
    version: str, spec: dict[str, object]
) -> None:
    first = authorization.parse(review(version, user="u", resourceAttributes=PODS, **spec))
    assert authorization.attributes_of(first.spec) == first.attributes


@pytest.mark.parametrize(
    ("extra", "expected"), [(None, {}), ({"key": None, "k": ["x"]}, {"key": (), "k": ("x",)})]
)
def test_a_null_where_go_has_a_nil_is_empty(
    extra: object, expected: dict[str, tuple[str, ...]]
) -> None:
    assert asked(extra=extra, resourceAttributes=PODS).user.extra == expected


def test_no_user_is_an_empty_name() -> None:
    assert asked(resourceAttributes=PODS).user == UserInfo("")


def test_requirements_of_selectors_are_read_and_what_is_unknown_is_dropped() -> None:
    attributes = asked(
        resourceAttributes={
            **PODS,
            "fieldSelector": {
                "requirements": [{"key": "spec.nodeName", "operator": "In", "values": ["n"]}]
            },
            "labelSelector": {
                "requirements": [
                    {"key": "a", "operator": "Exists"},
                    {"key": "b", "operator": "GreaterThan", "values": ["1"]},
                ],
                "unknown": 1,
            },
        }
    )
    assert attributes.field_selector == (Requirement("spec.nodeName", "In", ("n",)),)
    assert attributes.label_selector == (Requirement("a", "Exists"),)


@pytest.mark.parametrize("selector", [None, {}, {"rawSelector": "a=b"}, {"requirements": None}])
def test_a_selector_without_requirements_restricts_nothing(selector: object) -> None:
    attributes = asked(resourceAttributes={**PODS, "fieldSelector": selector})
    assert attributes.field_selector == ()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"{}", "spec"),
        (review(), "spec"),
        (review(resourceAttributes=None), "spec"),
        (review(resourceAttributes=PODS, nonResourceAttributes={"path": "/"}), "spec"),
        (review(resourceAttributes={"verb": 1}), "spec.resourceAttributes.verb"),
        (review(user=["alice"], resourceAttributes=PODS), "spec.user"),
        (review(groups="a", resourceAttributes=PODS), "spec.groups"),
        (review(extra={"key": "x"}, resourceAttributes=PODS), "spec.extra[...]"),
        (review("authorization.k8s.io/v2", resourceAttributes=PODS), "apiVersion"),
    ],
)
def test_what_is_no_review_is_refused_with_its_place(body: bytes, path: str) -> None:
    with pytest.raises(InvalidReviewError) as caught:
        authorization.parse(body)
    assert caught.value.path == path


def test_empty_attributes_count_as_given() -> None:
    assert asked(resourceAttributes={}).resource_request


@pytest.mark.parametrize("version", [V1, V1BETA1])
@pytest.mark.parametrize(
    ("decision", "status"),
    [
        (Decision(Effect.ALLOW, "row 1"), {"allowed": True, "reason": "row 1"}),
        (Decision(Effect.DENY, "row 2"), {"allowed": False, "denied": True, "reason": "row 2"}),
        (Decision(Effect.NO_OPINION, "none"), {"allowed": False, "reason": "none"}),
        (NO_OPINION, {"allowed": False}),
    ],
)
def test_an_answer_is_one_of_three_and_in_the_version_asked(
    version: str, decision: Decision, status: dict[str, object]
) -> None:
    assert json.loads(authorization.render(version, decision)) == {
        "kind": "SubjectAccessReview",
        "apiVersion": version,
        "status": status,
    }


def test_what_a_policy_on_trial_would_have_said_is_not_told() -> None:
    decision = Decision(Effect.NO_OPINION, shadowed=Decision(Effect.DENY, "canary"))
    assert b"canary" not in authorization.render(V1, decision)
