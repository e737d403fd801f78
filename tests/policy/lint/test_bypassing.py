"""Denies that are walked round by asking for all namespaces, or for all names."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from authsvc.interfaces import Effect, UserInfo
from authsvc.policy import compile_rows, read_text
from authsvc.policy.asking import question
from authsvc.policy.cells import parse_who
from authsvc.policy.holdings import Holdings
from authsvc.policy.lines import join_row, split_row
from authsvc.policy.lint import Finding, Inspected
from authsvc.policy.lint.bypassing import bypassed_denies
from authsvc.policy.resources import Catalogue
from tests.policy.strategies import NOW, policies

SHIPPED = Catalogue.shipped()
EVERYTHING = "p, role:all, *, *, *, *, allow\n"
SRE = EVERYTHING + "g, group:sre, role:all, *\n"
INTERNS = "p, group:interns, prod*, secrets, *, *, deny\n"
LISTS = "list|watch|deletecollection"


def found(text: str) -> list[Finding]:
    rows = read_text({"p.csv": text})
    return list(bypassed_denies(Inspected(rows, Holdings(rows), SHIPPED, NOW)))


def remedy(finding: Finding) -> str:
    told = re.fullmatch("add the row `(.*)`", finding.help, re.DOTALL)
    assert told is not None
    return told[1]


def test_a_deny_in_a_namespace_of_what_may_be_listed_everywhere_is_warned_about() -> None:
    (told,) = found(SRE + INTERNS)

    assert (told.file, told.line, told.kind, told.severity.value) == (
        *("p.csv", 3),
        *("bypassable", "warning"),
    )
    assert told.message == "says nothing of `list secrets -A`, which p.csv:1 allows group:sre"
    assert remedy(told) == f"p, group:interns, *, secrets, *, {LISTS}, deny"


@pytest.mark.parametrize(
    ("rows", "request_", "row"),
    [
        (
            "p, group:g, *, secrets, db-root, *, deny\np, group:h, team-a, *, *, *, allow\n",
            "list secrets -n team-a",
            f"p, group:g, *, secrets, *, {LISTS}, deny",
        ),
        (
            (
                "p, group:g, prod*, secrets, db-root, get|list, deny\n"
                "p, group:h, ?*, secrets, *, list|watch, allow\n"
            ),
            "list secrets -n prod*",
            "p, group:g, prod*, secrets, *, list, deny",
        ),
        (
            "p, user:a, *, clusterroles.rbac.authorization.k8s.io, admin, *, deny\n" + SRE,
            "list clusterroles.rbac.authorization.k8s.io",
            f"p, user:a, *, clusterroles.rbac.authorization.k8s.io, *, {LISTS}, deny",
        ),
        (
            "p, user:*, prod, namespaces, *, *, deny\np, user:a, *, namespaces, *, *, allow\n",
            "list namespaces -A",
            "p, user:*, *, namespaces, *, list|watch, deny",
        ),
        (
            "p, user:a|group:b, prod, secrets|pods/exec, *, *, deny, label:x=y\n" + SRE,
            "list secrets -A",
            f"p, user:a|group:b, *, secrets, *, {LISTS}, deny, label:x=y",
        ),
        (
            "p, group:g, prod, secrets|nodes, *, *, deny\n" + SRE,
            "list secrets -A",
            f"p, group:g, *, secrets, *, {LISTS}, deny",
        ),
        (
            "p, role:none, *, secrets, *, *, deny\ng, group:a\\|b, role:none, prod\n" + SRE,
            "list secrets -A",
            f"p, group:a\\|b, *, secrets, *, {LISTS}, deny",
        ),
        (
            (
                "p, serviceaccount:ci:a, prod, *, *, list, deny\n"
                "p, group:system:serviceaccounts:ci, *, *.apps, *, *, allow\n"
            ),
            "list *.apps -A",
            "p, serviceaccount:ci:a, *, *, *, list, deny",
        ),
    ],
)
def test_the_row_to_add_is_for_the_same_subject_in_as_few_places_as_will_do(
    rows: str, request_: str, row: str
) -> None:
    (told,) = found(rows)

    assert f"`{request_}`" in told.message
    assert remedy(told) == row
    assert found(f"{rows}{row}\n") == []


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(EVERYTHING, id="a role that nobody has"),
        pytest.param(EVERYTHING + "g, user:bob, role:all, *\n", id="another user"),
        pytest.param(EVERYTHING + "g, serviceaccount:a:b, role:all, *\n", id="a program"),
        pytest.param(EVERYTHING + "g, group:system:serviceaccounts, role:all, *\n", id="programs"),
        pytest.param(EVERYTHING + "g, group:system:unauthenticated, role:all, *\n", id="strangers"),
        pytest.param(EVERYTHING + "g, group:sre, role:all, ?*\n", id="not everywhere"),
        pytest.param(
            EVERYTHING + "g, group:sre, role:all, *, , 2001-01-01T00:00:00Z\n", id="no more"
        ),
        pytest.param("p, group:sre, *, pods, *, *, allow\n", id="another resource"),
        pytest.param("p, group:sre, *, secrets, x, *, allow\n", id="one name"),
        pytest.param("p, group:sre, *, secrets, *, get|delete, allow\n", id="one at a time"),
        pytest.param("p, group:sre, *, secrets/*, *, *, allow\n", id="subresources"),
        pytest.param(SRE + "p, user:*, *, secrets, *, *, deny\n", id="denied everybody"),
        pytest.param(
            SRE + "p, role:no, *, secrets, *, *, deny\ng, group:interns, role:no, *\n",
            id="denied by a role",
        ),
    ],
)
def test_a_deny_that_nobody_is_known_to_walk_round_is_well(rows: str) -> None:
    assert found(INTERNS + rows) == []


@pytest.mark.parametrize(
    "deny",
    [
        "group:interns, *, secrets, *, *",
        "group:interns, prod, secrets, *, get",
        "group:interns, prod, pods/exec, *, *",
        "group:interns, prod, nodes, *, *",
        "group:interns, *, /metrics, *, *",
        "role:unbound, prod, secrets, *, *",
    ],
)
def test_a_deny_that_leaves_nothing_open_is_well(deny: str) -> None:
    assert found(f"{SRE}p, {deny}, deny\n") == []


@settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
@given(policies())
def test_a_row_that_is_added_as_told_is_enough(text: str) -> None:
    findings = found(text)
    added = text
    for _ in range(10):
        if not findings:
            break
        added += "".join(f"{remedy(one)}\n" for one in findings)
        findings = found(added)

    assert findings == []


@settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
@given(policies())
def test_what_is_said_to_be_allowed_is_allowed(text: str) -> None:
    # Without conditions and times, of which the findings say nothing.
    split = [split_row(line) for line in text.splitlines()]
    text = "".join(f"{join_row(row[: 7 if row[0] == 'p' else 4])}\n" for row in split)
    evaluator = compile_rows(read_text({"p.csv": text})).evaluator

    for finding in found(text):
        asked, allowed = _SAID.fullmatch(finding.message).groups()  # type: ignore[union-attr]
        if not re.fullmatch(r"list \w+(?:\.[a-z.]+)?(?: -A| -n [a-z-]+)?", asked):
            continue  # of globs, some name is allowed
        denied = parse_who(split_row(remedy(finding))[1])
        decisions = [
            evaluator.decide(question(asked, both(subject, allowed)), NOW) for subject in denied
        ]
        assert any(decision.effect is Effect.ALLOW for decision in decisions), finding


_SAID = re.compile("says nothing of `(.*)`, which \\S+ allows (.*)", re.DOTALL)


def both(subject: str, shown: str) -> UserInfo:
    """Somebody who is a subject, and another one that is written as people write it."""
    long_name = shown.replace("serviceaccount:", "user:system:serviceaccount:", 1)
    names = [one.partition(":") for one in (subject, long_name) if one not in {"*", "user:*"}]
    users = [name for kind, _, name in names if kind == "user"]
    groups = tuple(name for kind, _, name in names if kind == "group")
    assert len(set(users)) < 2
    return UserInfo(users[0] if users else "nobody-else", "", groups)
