"""What was perhaps meant: said where a question is about nothing, and nowhere else."""

from __future__ import annotations

import pytest

from authsvc.interfaces import UserInfo
from authsvc.policy import asking, read_text
from authsvc.policy.hints import Words

ROWS = """\
p, user:a, *, certificates.cert-manager.io|widget, *, get, allow
p, user:a, *, */scale|*.example.com|issuers.*, *, get, allow
p, user:a, *, /healthz, *, get, allow
"""


def hint(what: str) -> str:
    return Words(read_text({"p.csv": ROWS})).hint(asking.ask(UserInfo("a"), "get", what))


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("pod", "pods"),
        ("deploy", "deployments.apps"),
        ("Deployment", "deployments.apps"),
        ("deployments", "deployments.apps"),
        ("deploy/scale", "deployments.apps/scale"),
        ("secerts", "secrets"),
        ("pods/logs", "pods/log"),
        ("certificates", "certificates.cert-manager.io"),
    ],
)
def test_kinds_short_names_slips_and_lacking_groups_are_understood(asked: str, meant: str) -> None:
    assert hint(asked) == f"no API has {asked}; did you mean {meant}?"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("delte pods", "no verb is known as delte; did you mean delete?"),
        ("Delete widgets.example.com", "no verb is known as Delete; did you mean delete?"),
        ("frob pods/log", "no verb is known as frob; pods/log has get"),
        ("secrets delete", "no verb is known as secrets; did you mean delete secrets?"),
        ("deploy patch", "no verb is known as deploy; did you mean patch deployments.apps?"),
        ("list /x", "a path is never asked for with the verb list; did you mean get?"),
        (
            "get pods/web",
            (
                "no API has pods/web, and what follows a slash is a subresource; "
                "did you mean pods web?"
            ),
        ),
    ],
)
def test_verbs_that_nothing_has_and_words_in_the_wrong_place_are_understood(
    asked: str, said: str
) -> None:
    request = asking.question(asked, UserInfo("a"))

    assert Words(read_text({"p.csv": ROWS})).hint(request) == said


@pytest.mark.parametrize(
    "asked",
    ["frob widgets.example.com", "polish pods", "impersonate-on:user-info:list pods", "post /x"],
)
def test_verbs_that_there_may_well_be_are_left_alone(asked: str) -> None:
    rows = f"{ROWS}p, user:a, *, widgets.example.com, *, polish, allow\n"

    assert Words(read_text({"p.csv": rows})).hint(asking.question(asked, UserInfo("a"))) == ""


@pytest.mark.parametrize(
    "asked",
    [
        "pods",
        "pods/log",
        "deployments.apps/scale",
        "pods/finalizers",
        "users",
        "widget",
        "certificates.cert-manager.io",
        "certificate.cert-manager.io",
        "pod.example.com",
        "xyzzy",
        "*",
        "/healthz",
        "/pod",
    ],
)
def test_what_exists_or_may_well_exist_is_left_alone(asked: str) -> None:
    assert hint(asked) == ""
