"""The matrix: what is held, how far, and that its picture is a picture."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings

from authsvc.interfaces import Attributes, Effect, UserInfo
from authsvc.policy import compile_rows, read_text, svg
from authsvc.policy.matrix import Hold, Matrix, matrix
from authsvc.policy.resources import Catalogue
from tests.policy.strategies import NOW, policies

SHIPPED = Catalogue.shipped()


def build(text: str, *columns: str, everything: bool = False) -> Matrix:
    rows = read_text({"p.csv": text})
    return matrix(rows, columns, SHIPPED, NOW, everything=everything)


def hold(text: str, column: str, group: str, name: str, verb: str) -> Hold:
    (marks,) = [
        item.cells[0]
        for item in build(text, column).items
        if (item.group, item.name) == (group, name)
    ]
    return next(mark.hold for mark in marks if mark.verb == verb)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["*, secrets, *, get, allow"], Hold.ALL),
        (["*, secrets, *, list, allow"], Hold.NONE),
        (["ns, secrets, *, get, allow"], Hold.SOME),
        (["*, secrets, a, get, allow"], Hold.SOME),
        (["*, secrets, *, get, allow, label:a=b"], Hold.SOME),
        (["*, secrets, *, get, allow", "*, *, *, *, deny"], Hold.DENIED),
        (["*, secrets, *, get, allow", "ns, secrets, *, get, deny"], Hold.SOME),
        (["ns, secrets, *, get, deny"], Hold.PART_DENIED),
    ],
)
def test_a_mark_says_how_far_a_verb_is_held(rows: list[str], expected: Hold) -> None:
    text = "".join(f"p, role:r, {row}\n" for row in rows)

    assert hold(text, "role:r", "", "secrets", "get") is expected


def test_what_is_inherited_counts_where_it_is_given() -> None:
    text = "p, role:r, *, jobs.batch, *, get, allow\np, role:s, *, /a, *, get, allow\n"

    assert hold(text + "g, role:s, role:r, *\n", "role:s", "batch", "jobs", "get") is Hold.ALL
    assert hold(text + "g, role:s, role:r, x\n", "role:s", "batch", "jobs", "get") is Hold.SOME
    assert hold(text, "role:s", "paths", "/a", "get") is Hold.ALL


@pytest.mark.parametrize(
    ("period", "expected"),
    [("2026-01-01T00:00:00Z,", Hold.ALL), ("2036-01-01T00:00:00Z,", Hold.NONE)],
)
def test_a_grant_counts_when_it_has_begun(period: str, expected: Hold) -> None:
    text = "p, role:r, *, pods, *, get, allow\np, group:a, *, pods, *, list, allow\n"

    assert (
        hold(f"{text}g, group:a, role:r, *, {period}\n", "group:a", "", "pods", "get") is expected
    )


def test_resources_of_other_apis_are_there_and_a_role_that_names_none_has_all() -> None:
    named = build("p, role:r, *, backups.velero.io/status, *, get, allow\n", "role:r")
    unnamed = build("p, role:r, *, *, *, *, allow\n", "role:r")

    assert [(item.group, item.name) for item in named.items] == [("velero.io", "backups/status")]
    assert len(unnamed.items) > 100


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(policies())
def test_marks_agree_with_the_evaluator(text: str) -> None:
    evaluator = compile_rows(read_text({"p.csv": text})).evaluator

    for item in build(text, "group:a").items:
        for mark in item.cells[0]:
            if item.group == "paths" or mark.hold not in {Hold.ALL, Hold.NONE, Hold.DENIED}:
                continue
            resource, _, subresource = item.name.partition("/")
            request = Attributes(
                *(UserInfo("", groups=("a",)), mark.verb, True, "some-namespace"),
                *(item.group, "v1", resource, subresource, "some-name"),
            )
            expected = {
                Hold.ALL: Effect.ALLOW,
                Hold.NONE: Effect.NO_OPINION,
                Hold.DENIED: Effect.DENY,
            }[mark.hold]
            assert evaluator.decide(request, NOW).effect is expected, (item.name, mark)


def test_the_picture_is_well_formed_and_holds_names_as_text() -> None:
    text = 'p, "role:<b>&""", *, secrets|*.velero.io, *, get, allow\n'

    drawn = svg.draw(build(text, 'role:<b>&"'), "A <title>")

    root = ET.fromstring(drawn)  # noqa: S314  written a moment ago
    texts = [element.text for element in root.iter() if element.text]
    assert "A <title>" in texts
    assert '<b>&"' in texts
    assert "secrets" in texts


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = svg.page(build("p, role:r, *, secrets, *, *, allow\n", "role:r"), "Roles")

    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert page.count("http") == page.count("http://www.w3.org/2000/svg")
