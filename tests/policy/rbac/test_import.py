"""An imported policy gives RBAC's answers: the API server's own, and those of an oracle."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authsvc.errors import InvalidConfigurationError
from authsvc.interfaces import Attributes, Effect, UserInfo
from authsvc.policy import Evaluator, compile_rows, read_text, requests
from authsvc.policy.rbac.importer import Imported, import_rbac
from authsvc.policy.rbac.objects import read
from tests.policy.rbac import oracle, strategies

DATA = Path(__file__).parent / "data"


def imported(*objects: dict[str, Any]) -> Imported:
    return import_rbac(read(json.dumps({"kind": "List", "items": objects}), "test"))


def evaluator(text: str) -> Evaluator:
    return compile_rows(read_text({"rbac.csv": text})).evaluator


def cluster_role(name: str, *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "ClusterRole", "metadata": {"name": name}, "rules": list(rules), **more}


def bound(role: str, *subjects: dict[str, str], kind: str = "ClusterRole") -> dict[str, Any]:
    return {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "binding"},
        "subjects": list(subjects),
        "roleRef": {"kind": kind, "name": role},
    }


PODS = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
ALICE = {"kind": "User", "name": "alice"}


def test_every_recorded_verdict_of_an_api_server_is_given() -> None:
    ours = evaluator(import_rbac(read((DATA / "rbac.json").read_text(), "rbac.json")).text)

    lines = (DATA / "verdicts.jsonl").read_bytes().splitlines()
    answers = [ours.decide(request, 0.0).effect for request in requests.read(lines)]

    expected = [
        Effect.ALLOW if json.loads(line)["allowed"] else Effect.NO_OPINION for line in lines
    ]
    assert len(answers) == 1500
    assert Counter(answers).keys() == {Effect.ALLOW, Effect.NO_OPINION}
    assert answers == expected


SEEN: Counter[bool] = Counter()


# Derandomized, so that how often something is allowed does not depend on luck.
@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(strategies.OBJECTS, st.lists(strategies.REQUEST, min_size=20, max_size=20))
def test_random_objects_are_judged_as_the_oracle_judges_them(
    objects: list[dict[str, Any]], asked: list[Attributes]
) -> None:
    result = imported(*objects)
    assert result.errors == ()
    ours = evaluator(result.text)

    for request in asked:
        expected = oracle.allowed(objects, request)
        SEEN[expected] += 1
        assert (ours.decide(request, 0.0).effect is Effect.ALLOW) == expected, request


def test_the_oracle_allowed_often() -> None:
    if not SEEN:  # this test ran in another process than the one above
        test_random_objects_are_judged_as_the_oracle_judges_them()

    assert SEEN.total() >= 3000
    assert SEEN[True] >= 10, SEEN


def test_the_oracle_itself_gives_the_recorded_verdicts_to_roles_that_are_filled() -> None:
    document = json.loads((DATA / "rbac.json").read_text())["items"]
    lines = (DATA / "verdicts.jsonl").read_bytes().splitlines()

    answers = [oracle.allowed(document, request) for request in requests.read(lines)]

    assert answers == [json.loads(line)["allowed"] for line in lines]


def test_each_row_stands_below_a_comment_that_says_where_it_came_from() -> None:
    text = imported(cluster_role("pod-reader", PODS), bound("pod-reader", ALICE)).text

    assert text == (
        "# ClusterRole pod-reader\n"
        "p, role:pod-reader, *, pods, *, get, allow\n"
        "\n# ClusterRoleBinding binding\n"
        "g, user:alice, role:pod-reader, *\n"
    )


@pytest.mark.parametrize("url", ["*", "**", "/*", "/**"])
def test_a_url_of_stars_alone_is_every_path_of_an_api_server(url: str) -> None:
    rule = {"verbs": ["get"], "nonResourceURLs": [url]}
    result = imported(cluster_role("r", rule), bound("r", ALICE))

    ours = evaluator(result.text)

    assert result.warnings == ()
    assert "p, role:r, *, /*, *, get, allow\n" in result.text
    for path in ("/", "/a", "/a/b", "//"):
        request = Attributes(UserInfo("alice"), "get", False, path=path)
        assert ours.decide(request, 0.0).effect is Effect.ALLOW


def test_a_path_without_a_slash_is_left_to_rbac_itself() -> None:
    rule = {"verbs": ["get"], "nonResourceURLs": ["*"]}
    objects = [cluster_role("r", rule), bound("r", ALICE)]
    by_hand = Attributes(UserInfo("alice"), "get", False, path="healthz")

    assert oracle.allowed(objects, by_hand)
    assert evaluator(imported(*objects).text).decide(by_hand, 0.0).effect is Effect.NO_OPINION


def test_aggregated_roles_that_nobody_filled_are_gathered_through_one_another() -> None:
    def aggregated(name: str, label: str, own: str) -> dict[str, Any]:
        rule = {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}
        role = cluster_role(name, aggregationRule=rule)
        role["metadata"]["labels"] = {own: "true"}
        return role

    base = cluster_role("base", PODS)
    base["metadata"]["labels"] = {"to-view": "true"}
    objects = [aggregated("edit", "to-edit", "x"), aggregated("view", "to-view", "to-edit"), base]

    text = imported(*objects).text

    for name in ("edit", "view", "base"):
        assert f"p, role:{name}, *, pods, *, get, allow\n" in text


@pytest.mark.parametrize(
    ("objects", "warning"),
    [
        ([bound("gone", ALICE)], "ClusterRole gone does not exist"),
        ([bound("gone", ALICE, kind="Role")], "Role gone does not exist"),
        ([cluster_role("r", {**PODS, "verbs": []})], "a rule without verbs"),
        ([cluster_role("r", {**PODS, "apiGroups": []})], "a rule without apiGroups"),
        ([cluster_role("r", {"verbs": ["get"]})], "a rule without resources and URLs"),
        (
            [cluster_role("r", {**PODS, "resources": ["deployments.apps"]})],
            "no API has a resource 'deployments.apps'",
        ),
        (
            [cluster_role("r", {"verbs": ["get"], "nonResourceURLs": ["healthz"]})],
            "no path begins like 'healthz'",
        ),
        ([cluster_role("r", PODS), bound("r")], "is for nobody"),
        (
            [cluster_role("r", PODS), bound("r", {"kind": "ServiceAccount", "name": "a"})],
            "ServiceAccount a without a namespace",
        ),
        ([cluster_role("r", PODS), bound("r", {"kind": "X", "name": "a"})], "no kind of subject"),
    ],
)
def test_what_grants_nothing_is_a_warning_and_a_comment(
    objects: list[dict[str, Any]], warning: str
) -> None:
    result = imported(*objects)

    assert any(warning in str(one) for one in result.warnings), result.warnings
    assert f"# grants nothing: {warning}" in result.text or warning in result.text
    assert result.errors == ()


@pytest.mark.parametrize(
    ("objects", "error"),
    [
        ([cluster_role("r", {**PODS, "resourceNames": [""]})], "an empty name"),
        ([cluster_role("r", {**PODS, "apiGroups": ["core"]})], "an API group named core"),
        ([cluster_role("r", {**PODS, "resources": ["pods/"]})], "ends in a slash"),
        ([cluster_role("r", {**PODS, "verbs": ["a\nb"]})], "a control character"),
        ([cluster_role("r", PODS), cluster_role("r")], "given twice, differently"),
    ],
)
def test_what_cannot_be_said_is_an_error_with_its_object(
    objects: list[dict[str, Any]], error: str
) -> None:
    result = imported(*objects)

    assert [str(one).startswith("ClusterRole r: ") for one in result.errors] == [True]
    assert error in str(result.errors[0])


def test_yaml_json_and_lists_of_one_kind_are_read_alike() -> None:
    role, binding = cluster_role("r", PODS), bound("r", ALICE)
    typed = {"kind": "ClusterRoleList", "items": [{"metadata": {"name": "r"}, "rules": [PODS]}]}

    texts = [
        json.dumps({"kind": "List", "items": [role, binding]}),
        yaml.safe_dump_all([role, binding]),
        yaml.safe_dump_all([typed, binding, {"kind": "Pod"}, None]),
    ]

    assert len({import_rbac(read(text, "x")).text for text in texts}) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "x:2: "),
        ("{", "x: "),
        ("- 1", "x: expected Kubernetes objects"),
        ('{"a":' + "[" * 100_000, "x: nested too deeply"),
        (
            "kind: Role\nmetadata: {name: r}\nrules: [{verbs: 5}]",
            "x: Role r: rules[0].verbs: expected a list or nothing, got a whole number",
        ),
    ],
)
def test_what_is_no_rbac_is_an_error_with_its_place(text: str, said: str) -> None:
    with pytest.raises(InvalidConfigurationError) as raised:
        list(read(text, "x"))

    assert str(raised.value).startswith(said)


def test_a_request_is_read_with_or_without_its_envelope_in_both_versions() -> None:
    spec = {"user": "a", "resourceAttributes": {"verb": "get", "resource": "pods"}}
    lines = [
        msgspec.json.encode({"spec": {**spec, "groups": ["g"]}}),
        msgspec.json.encode({**spec, "group": ["g"]}),
        b"\n",
    ]

    first, second = requests.read(lines)

    assert first == second
    assert first.user.groups == ("g",)
