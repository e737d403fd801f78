"""The lint: each kind of finding where it is meant, and nothing about rows that are well."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authsvc.interfaces import Attributes
from authsvc.policy import compile_rows, read_text
from authsvc.policy.holdings import Holdings
from authsvc.policy.lint import Finding, Inspected, Severity, lint
from authsvc.policy.resources import Catalogue
from authsvc.policy.starter import starter_policy
from tests.policy.strategies import NOW, policies, requests

SHIPPED = Catalogue.shipped()
CLUSTER = Catalogue.of_cluster(
    "NAME SHORTNAMES APIVERSION NAMESPACED KIND VERBS CATEGORIES\n"
    "pods po v1 true Pod create,get,list all\n"
    "widgets example.com/v1 true Widget get,polish\n",
    "test",
)


def found(text: str, catalogue: Catalogue = SHIPPED) -> list[Finding]:
    rows = read_text({"p.csv": text})
    return lint(Inspected(rows, Holdings(rows), catalogue, NOW))


def said(text: str, catalogue: Catalogue = SHIPPED) -> list[str]:
    """Findings but notes, as ``line: kind: message (help)``."""
    return [
        f"{one.line}: {one.kind}: {one.message} ({one.help})"
        for one in found(text, catalogue)
        if one.severity is Severity.WARNING
    ]


@pytest.mark.parametrize(
    ("cells", "kind", "message", "help_"),
    [
        ("*, deployment, *, get", "unknown-resource", "no API has deployment", "deployments.apps"),
        ("*, Pod, *, get", "unknown-resource", "no API has Pod", "did you mean pods?"),
        ("*, netpol, *, get", "unknown-resource", "", "networkpolicies.networking.k8s.io?"),
        ("*, pods.apps, *, get", "unknown-resource", "no API has pods.apps", "pods?"),
        ("*, pods/logs, *, get", "unknown-resource", "no API has pods/logs", "pods/log?"),
        ("*, *.app, *, get", "unknown-resource", "no API has the group app", "*.apps?"),
        ("*, x.rbac.authorisation.k8s.io, *, get", "unknown-resource", "", "x.rbac.authorization"),
        ("*, xyzzy, *, get", "unknown-resource", "no API has xyzzy", "()"),
        ("*, pods, *, get|udpate", "unfit-verb", "no verb is known as udpate", "mean update?"),
        ("*, pods, *, GET", "unfit-verb", "no verb is known as GET", "did you mean get?"),
        ("*, pods, *, sign", "unfit-verb", "pods is never asked for with sign", "it has create"),
        ("*, pods|services, *, get|bind", "unfit-verb", "nothing in pods|services", ""),
        ("*, pods|pods/eviction, *, get", "unfit-verb", "pods/eviction is never", "it has create"),
        ("*, x.example.com, *, lst", "unfit-verb", "no verb is known as lst", "list?"),
        ("*, /healthz, *, list", "unfit-verb", "a path is never asked for", "did you mean get?"),
        ("team-a, nodes, *, get", "never-matches", "nodes is cluster-scoped", "write *"),
        ("?*, nodes|persistentvolumes, *, get", "never-matches", "cluster-scoped", "write *"),
        ("*, pods, web, create", "never-matches", "create names no object", "write *"),
    ],
)
def test_a_row_about_what_is_never_asked_is_warned_about_with_a_suggestion(
    cells: str, kind: str, message: str, help_: str
) -> None:
    (told,) = said(f"p, user:a, {cells}, allow\n")

    assert told.startswith(f"1: {kind}: ")
    assert message in told
    assert help_ in told


@pytest.mark.parametrize(
    "cells",
    [
        "*, pods|pods/log|services, *, get|list|watch",
        "*, x.example.com, *, frobnicate",
        "*, x.*, *, frobnicate",
        "*, *, *, *",
        "*, */finalizers, *, update",
        "*, deployments.apps/finalizers, *, update",
        "*, */scale, *, get|update",
        "*, *.apps|*.core, *, get",
        "*, users|groups, bob, impersonate",
        "*, userextras.authentication.k8s.io/scopes, *, impersonate",
        "*, nodes, *, impersonate:associated-node",
        "*, pods, *, impersonate-on:user-info:list",
        "*, signers.certificates.k8s.io, example.com/*, approve|sign",
        "*, nodes/metrics|nodes/proxy, *, get",
        "team-a, namespaces, *, get",
        "*, serviceaccounts/token|pods/exec, web, create",
        "*, /healthz*, *, get|head",
        "a, pods|nodes, *, get",
    ],
)
def test_a_row_that_is_well_is_not_warned_about(cells: str) -> None:
    assert said(f"p, user:a, {cells}, allow\n") == []


def test_with_a_list_of_its_own_a_cluster_has_what_it_lists_and_no_more() -> None:
    rows = (
        "p, user:a, *, widgets.example.com, *, polish, allow\n"
        "p, user:a, *, widgets.example.com, *, delete, allow\n"
        "p, user:a, *, gadgets.example.com, *, get, allow\n"
        "p, user:a, *, pods/log, *, get, allow\n"
        "p, user:a, *, secrets, *, get, allow\n"
        "p, user:a, *, users, *, impersonate, allow\n"
    )

    assert [line.split(": (")[0].split(" (")[0] for line in said(rows, CLUSTER)] == [
        "2: unfit-verb: widgets.example.com is never asked for with delete",
        "3: unknown-resource: no API has gadgets.example.com",
        "5: unknown-resource: no API has secrets",
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["a, pods, *, get, allow"] * 2, "2: duplicate: says the same as p.csv:1"),
        (
            ["a, pods|secrets, *, get|list, allow", "a, secrets, *, list, allow"],
            "2: shadowed: adds nothing to p.csv:1",
        ),
        (
            ["prod-*, pods, *, get, allow", "prod*, pods, *, *, allow"],
            "1: shadowed: adds nothing to p.csv:2",
        ),
        (
            ["a, pods, x, get, allow", "*, *, *, *, deny"],
            "1: unreachable: never allows anything: p.csv:2 denies all of it",
        ),
        (["*, /a/b, *, get, allow", "*, /a*, *, *, allow"], "1: shadowed: "),
    ],
)
def test_a_row_without_effect_names_the_row_that_makes_it_so(
    rows: list[str], expected: str
) -> None:
    (told,) = said("".join(f"p, user:a, {row}\n" for row in rows))

    assert told.startswith(expected)


def test_a_row_for_several_is_without_effect_only_where_it_is_for_each() -> None:
    first = "p, user:a, *, pods, *, get, allow\n"

    assert said(first + "p, user:a|user:b, *, pods, *, get, allow\n") == [
        "1: duplicate: says the same as p.csv:2 (delete one of them)"
    ]
    assert len(said("p, user:a|user:b, *, pods, *, get, allow\n" * 2)) == 1


def test_conditions_keep_rows_apart() -> None:
    narrow = "p, user:a, *, pods, *, list, allow, label:a=b\n"
    other = "p, user:a, *, pods, *, list, allow, label:a=c\n"

    assert said(narrow + other) == []
    (told,) = said(narrow + "p, user:a, *, pods, *, list, allow\n")
    assert told.startswith("1: shadowed: ")


ROLE = "p, role:r, *, pods, *, get, allow\n"


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        (["user:a, role:r, *", "user:a, role:r, x"], "3: redundant-grant: "),
        (["user:a, role:r, x", "user:a, role:r, x|y"], "2: redundant-grant: "),
        (["user:a, role:r, x", "user:a, role:r, x"], "3: redundant-grant: "),
        (
            ["user:a, role:r, *", "user:a, role:r, *, , 2100-01-01T00:00:00Z"],
            "3: redundant-grant: ",
        ),
        (["user:a, role:r, *, , 2001-01-01T00:00:00Z"], "2: expired: role:r for user:a ended at "),
    ],
)
def test_a_grant_without_effect_is_warned_about(grants: list[str], expected: str) -> None:
    (told,) = said(ROLE + "".join(f"g, {grant}\n" for grant in grants))

    assert told.startswith(expected)


def test_grants_that_each_give_something_are_well() -> None:
    grants = "g, user:a, role:r, x, , 2100-01-01T00:00:00Z\ng, user:a, role:r, y\n"

    assert said(ROLE + grants) == []


def test_roles_that_nobody_comes_to_are_noted_and_those_inherited_are_not() -> None:
    text = ROLE + "p, role:s, *, pods, *, get, allow\np, role:t, *, pods, *, get, allow\n"
    text += "g, user:a, role:s, *\ng, role:s, role:r, *\n"

    assert [one.message for one in found(text) if one.kind == "unbound-role"] == [
        "nobody has role:t"
    ]


@pytest.mark.parametrize(
    ("cells", "power"),
    [
        ("*, *, *, *", "do everything"),
        ("*, users, *, impersonate", "act as others"),
        ("*, roles.rbac.authorization.k8s.io, *, bind", "bind any role of RBAC"),
        ("*, *.rbac.authorization.k8s.io, *, escalate", "write any role of RBAC"),
        ("ns, secrets, *, list", "read secrets"),
        ("*, pods/*, *, create", "run commands in pods"),
        ("*, pods, *, *", "create pods, as any service account there"),
        ("*, jobs.batch, *, create", "create pods by way of workloads"),
        ("*, serviceaccounts/token, *, create", "make tokens of service accounts"),
    ],
)
def test_who_can_come_to_more_is_noted(cells: str, power: str) -> None:
    text = f"p, role:r, {cells}, allow\ng, group:g, role:r, *\n"

    notes = [one for one in found(text) if one.kind == "escalation"]

    assert len(notes) == 1
    assert notes[0].message.startswith("lets group:g ")
    assert power in notes[0].message


def test_who_is_denied_all_of_it_or_has_it_no_more_comes_to_nothing() -> None:
    text = (
        "p, role:r, *, secrets, *, get, allow\np, user:a, *, secrets, *, *, deny\n"
        "g, user:a|user:b, role:r, *\ng, user:c, role:r, *, , 2001-01-01T00:00:00Z\n"
    )

    assert [one.message for one in found(text) if one.kind == "escalation"] == [
        "lets user:b read secrets"
    ]


def test_the_shipped_policy_has_no_warning() -> None:
    rows = read_text(starter_policy())

    findings = lint(Inspected(rows, Holdings(rows), SHIPPED, NOW))

    assert {one.severity for one in findings} == {Severity.NOTE}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(policies(), st.lists(requests(), min_size=20, max_size=20))
def test_a_row_that_is_called_pointless_can_be_deleted(text: str, asked: list[Attributes]) -> None:
    lines = text.splitlines()
    pointless = {"duplicate", "shadowed", "unreachable", "redundant-grant", "expired"}
    before = compile_rows(read_text({"p.csv": text})).evaluator

    for finding in [one for one in found(text) if one.kind in pointless][:3]:
        rest = [line for number, line in enumerate(lines, 1) if number != finding.line]
        # A role without rows may not be given; this one says nothing.
        rest += [f"p, role:{number}, none, none, none, none, allow" for number in range(6)]
        after = compile_rows(read_text({"p.csv": "\n".join(rest) + "\n"})).evaluator
        for request in asked:
            effect = after.decide(request, NOW).effect
            assert effect is before.decide(request, NOW).effect, (finding, request)
