"""What fits into RBAC is exported without a change of meaning; what does not is said."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authsvc.interfaces import Attributes, Effect
from authsvc.policy import compile_rows, read_text, requests
from authsvc.policy.rbac.exporter import export_rbac
from authsvc.policy.rbac.importer import import_rbac
from authsvc.policy.rbac.objects import read
from tests.policy.rbac import oracle, strategies

DATA = Path(__file__).parent / "data"


def exported(text: str) -> list[dict[str, Any]]:
    """The objects, where all of the policy fits."""
    result = export_rbac(read_text({"p.csv": text}))
    assert result.misfits == ()
    return list(result.objects)


def misfits(text: str) -> list[str]:
    return [str(misfit) for misfit in export_rbac(read_text({"p.csv": text})).misfits]


def test_imported_and_exported_rbac_gives_every_recorded_verdict_again() -> None:
    text = import_rbac(read((DATA / "rbac.json").read_text(), "rbac.json")).text
    lines = (DATA / "verdicts.jsonl").read_bytes().splitlines()

    objects = exported(text)
    again = import_rbac(read(json.dumps({"kind": "List", "items": objects}), "again"))

    assert again.errors == again.warnings == ()
    ours = compile_rows(read_text({"rbac.csv": again.text})).evaluator
    asked = list(requests.read(lines))
    verdicts = [json.loads(line)["allowed"] for line in lines]
    assert [ours.decide(one, 0.0).effect is Effect.ALLOW for one in asked] == verdicts
    assert [oracle.allowed(objects, one) for one in asked] == verdicts


def _row(*cells: str) -> str:
    return ", ".join(cells)


_PLACE = st.sampled_from(("*", "*", "n", "m", "n|m", "n|*"))
_WHAT = st.sampled_from(
    ("pods", "pods|deployments.apps", "*", "*.apps", "*.core", "pods.*", "*/scale", "pods/log")
)
_MAY = st.sampled_from(("*", "get", "get|list"))
_HOLDER = st.sampled_from(("role:r", "role:s", "role:n/t", "user:a", "group:b", "user:*"))
_RULE = st.builds(
    _row,
    *(st.just("p"), _HOLDER, _PLACE, _WHAT, st.sampled_from(("*", "a", "a|b")), _MAY),
    st.just("allow"),
)
_PATH_RULE = st.builds(
    lambda who, what, may: f"p, {who}, *, {what}, *, {may}, allow",
    *(_HOLDER, st.sampled_from(("/a", "/a/*", "/*|/a", "/a*")), _MAY),
)
_GRANT = st.builds(
    _row,
    st.just("g"),
    st.sampled_from(("user:a", "group:a", "group:b", "serviceaccount:n:a", "user:*")),
    st.sampled_from(("role:r", "role:s", "role:n/t")),
    _PLACE,
)
_INHERITS = st.builds(
    _row, st.just("g"), st.just("role:r"), st.sampled_from(("role:s", "role:n/t")), _PLACE
)
_DEFINED = "".join(f"p, role:{name}, *, none, *, none, allow\n" for name in ("r", "s", "n/t"))
POLICY = st.lists(st.one_of(_RULE, _RULE, _PATH_RULE, _GRANT, _GRANT, _INHERITS), max_size=8).map(
    lambda rows: _DEFINED + "".join(f"{row}\n" for row in rows)
)
SEEN: Counter[bool] = Counter()


def as_the_api_server_asks(request: Attributes) -> Attributes:
    """With the group that stands for every user."""
    user = request.user
    return request._replace(user=user._replace(groups=(*user.groups, "system:authenticated")))


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(POLICY, st.lists(strategies.REQUEST, min_size=20, max_size=20))
def test_rbac_allows_exactly_what_an_exported_policy_allows(
    text: str, asked: list[Attributes]
) -> None:
    ours = compile_rows(read_text({"p.csv": text})).evaluator
    objects = exported(text)

    for one in asked:
        request = as_the_api_server_asks(one)
        expected = ours.decide(request, 0.0).effect is Effect.ALLOW
        SEEN[expected] += 1
        assert oracle.allowed(objects, request) == expected, request


def test_exported_policies_allowed_often() -> None:
    if not SEEN:  # this test ran in another process than the one above
        test_rbac_allows_exactly_what_an_exported_policy_allows()

    assert SEEN[True] >= 50, SEEN


def test_names_are_unique_where_they_live_and_fit_into_a_path() -> None:
    text = (
        "p, role:a/b, *, pods, *, get, allow\np, role:a:b, *, pods, *, get, allow\n"
        "p, role:r, n, pods, *, get, allow\np, role:n/r, *, pods, *, list, allow\n"
        "g, user:u, role:a/b|role:a:b|role:r, *\ng, user:u, role:n/r, n\n"
    )

    objects = exported(text)

    keys = [
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects
    ]
    assert len(set(keys)) == len(keys)
    assert not any("/" in name or "%" in name for _, _, name in keys)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("p, user:a, *, pods, *, get, deny", "RBAC has no deny"),
        ("p, user:a, *, pods, *, get, allow, label:a=b", "RBAC has no conditions"),
        ("p, user:a, prod*, pods, *, get, allow", "RBAC has no globs in namespaces: prod*"),
        ("p, user:a, ?*, pods, *, get, allow", "RBAC has no globs in namespaces: ?*"),
        ("p, user:a, *, pods, a*, get, allow", "RBAC has no globs in names: a*"),
        ("p, user:a, *, pods, *, \\*, allow", "RBAC has no verb that is named '*'"),
        ("p, user:a, *, pods.\\*, *, get, allow", "RBAC has no API group that is named '*'"),
        ("p, user:a, *, \\*, *, get, allow", "RBAC has no resource that is named '*'"),
        ("p, user:a, *, pods/*, *, get, allow", "RBAC has no wildcard for the subresources"),
        ("p, user:a, *, /a?, *, get, allow", "RBAC has no such path: /a?"),
        ("p, user:a, *, /*/b, *, get, allow", "RBAC has no such path: /*/b"),
        ("p, user:a, *, /a\\*, *, get, allow", "RBAC has no such path: /a\\*"),
    ],
)
def test_a_row_that_rbac_cannot_say_is_told_with_its_place(row: str, said: str) -> None:
    (told,) = misfits(row + "\n")

    assert told.startswith(f"p.csv:1: {said}")


def test_a_grant_that_rbac_cannot_say_is_told_with_its_place_once() -> None:
    rows = "p, role:r, *, pods, *, get, allow\ng, group:a|group:b, role:r, "

    assert misfits(rows + "prod*\n") == ["p.csv:2: RBAC has no globs in namespaces: prod*"]
    assert misfits(rows + "*, , 2100-01-01T00:00:00Z\n") == ["p.csv:2: RBAC has no times"]


def test_only_a_deny_left_out_allows_more() -> None:
    rows = read_text(
        {"p.csv": "p, user:a, *, pods, *, get, deny\np, user:a, x*, y, *, get, allow\n"}
    )

    assert [misfit.dangerous for misfit in export_rbac(rows).misfits] == [True, False]
