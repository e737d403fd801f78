"""What was perhaps meant: said where a question is about nothing, and nowhere else."""

from __future__ import annotations

import pytest

from authsvc.interfaces import UserInfo
from authsvc.policy import asking, read_text
from authsvc.policy.hints import Resources

ROWS = """\
p, user:a, *, certificates.cert-manager.io|widget, *, get, allow
p, user:a, *, */scale|*.example.com|issuers.*, *, get, allow
p, user:a, *, /healthz, *, get, allow
"""


def hint(what: str) -> str:
    return Resources(read_text({"p.csv": ROWS})).hint(asking.ask(UserInfo("a"), "get", what))


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
