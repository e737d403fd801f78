"""The example company: its people, its policy, and what the tour asks about them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any, NamedTuple

POLICY = (resources.files(__package__) / "company.csv").read_text(encoding="utf-8")

# The first cells are `sha256:…` of tokens made for this run alone.
TOKENS = """\
# token, user, uid, groups
{alice},alice,1001,"interns,team-a"
{bob},bob,1002,operators
"""

ALICE = ("interns", "team-a")
BOB = ("operators",)


class Question(NamedTuple):
    """One question of the tour, in words and on the wire, with the right answer."""

    words: str
    path: str
    review: Mapping[str, Any]
    expected: str


def token_questions(alice: str, bob: str) -> list[Question]:
    """Return: who is this?"""
    return [
        Question("alice's token", "/authenticate", token_review(alice), "alice"),
        Question("bob's token", "/authenticate", token_review(bob), "bob"),
        Question("a token nobody has", "/authenticate", token_review("no-such-token"), "nobody"),
    ]


def access_questions() -> list[Question]:
    """Return: may they?"""
    asked = [
        ("alice", ALICE, "list", "", "pods", "team-a", "allowed"),
        ("alice", ALICE, "create", "apps", "deployments", "team-a", "allowed"),
        ("alice", ALICE, "get", "", "secrets", "prod", "denied"),
        ("alice", ALICE, "list", "", "nodes", "", "no opinion"),
        ("bob", BOB, "delete", "", "pods", "prod", "allowed"),
        ("bob", BOB, "delete", "", "pods", "team-a", "no opinion"),
    ]
    return [
        Question(
            f"{user} {verb} {resource}{f'.{group}' if group else ''}"
            + (f" in {namespace}" if namespace else ""),
            "/authorize",
            access_review(user, groups, verb, group, resource, namespace),
            expected,
        )
        for user, groups, verb, group, resource, namespace, expected in asked
    ]


def token_review(token: str) -> dict[str, Any]:
    """Return a TokenReview."""
    return {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token},
    }


def access_review(
    user: str, groups: tuple[str, ...], verb: str, group: str, resource: str, namespace: str
) -> dict[str, Any]:
    """Return a SubjectAccessReview; what is empty is left out, as the API server does."""
    attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": user,
            "groups": [*groups, "system:authenticated"],
            "resourceAttributes": {key: value for key, value in attributes.items() if value},
        },
    }


def verdict(question: Question, status: Mapping[str, Any]) -> tuple[str, str]:
    """Return an answer in words: the verdict, and what was said with it."""
    if question.path == "/authenticate":
        user = status.get("user")
        if not status.get("authenticated") or user is None:
            return "nobody", str(status.get("error", ""))
        return user["username"], f"uid {user['uid']}, groups {', '.join(user['groups'])}"
    if status.get("allowed"):
        return "allowed", str(status.get("reason", ""))
    word = "denied" if status.get("denied") else "no opinion"
    return word, str(status.get("reason", "") or "the API server asks RBAC next")
