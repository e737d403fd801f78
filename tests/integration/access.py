"""What is asked of ``/authorize``, in kubectl's words, and which of three things was answered."""

from __future__ import annotations

import re
from typing import Any

ALLOWED, DENIED, NO_OPINION = "allowed", "denied", "no opinion"


def spec(
    user: str, verb: str, what: str, namespace: str = "", name: str = "", **more: Any
) -> dict[str, Any]:
    """In kubectl's words: ``spec("alice", "get", "deployments.apps/scale", "ns", "web")``."""
    who = {"user": user, **more}
    if what.startswith("/"):
        return {**who, "nonResourceAttributes": {"path": what, "verb": verb}}
    whole, _, subresource = what.partition("/")
    resource, _, group = whole.partition(".")
    attributes = {
        "verb": verb,
        "resource": resource,
        "group": group,
        "subresource": subresource,
        "namespace": namespace,
        "name": name,
        "version": "v1",
    }
    # As the API server sends it: what is empty is not there.
    attributes = {key: value for key, value in attributes.items() if value}
    return {key: value for key, value in who.items() if value} | {"resourceAttributes": attributes}


def verdict(status: dict[str, Any]) -> str:
    """Which of the three outcomes a status is; 40: it is never two of them."""
    allowed, denied = status["allowed"], status.get("denied", False)
    assert isinstance(allowed, bool)
    assert isinstance(denied, bool)
    assert not (allowed and denied)
    assert "evaluationError" not in status
    reason = status.get("reason", "")
    assert len(reason.encode()) < 1024
    assert len(reason.splitlines()) <= 1
    if allowed or denied:
        assert re.search(r"\w+\.csv:\d+\b", reason)
    return ALLOWED if allowed else DENIED if denied else NO_OPINION
