"""Reviews that are granted, to be made worse; and what answers to them must look like."""

from __future__ import annotations

from typing import Any

from tests.parts import https

TOKEN = "ahT7-token-of-alice"
PODS = {"user": "alice", "resourceAttributes": {"verb": "get", "resource": "pods"}}

# The path, and the kind, the group and the spec of what is granted there.
ENDPOINTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "/authenticate": ("TokenReview", "authentication.k8s.io", {"token": TOKEN}),
    "/authorize": ("SubjectAccessReview", "authorization.k8s.io", PODS),
}

TOKENS = f"{TOKEN},alice,1001,devs\n"
POLICY = {"policy.csv": "p, user:alice, *, pods, *, get, allow\n"}


def review(path: str, version: str = "v1", **changes: Any) -> dict[str, Any]:
    """A review that is granted, at the endpoint that answers it, with changes to make it worse."""
    kind, group, spec = ENDPOINTS[path]
    return {"apiVersion": f"{group}/{version}", "kind": kind, "spec": spec, **changes}


def is_granted(answer: https.Answer) -> bool:
    """Whether an answer of either endpoint says yes."""
    status = answer.json().get("status")
    return isinstance(status, dict) and bool(status.get("authenticated") or status.get("allowed"))


def assert_kubernetes_status(answer: https.Answer, code: int) -> str:
    """Return the message of an error that kubectl and client-go can read."""
    assert answer.status == code
    assert answer.headers.get_content_type() == "application/json"
    status = answer.json()
    assert (status["kind"], status["apiVersion"]) == ("Status", "v1")
    assert (status["status"], status["code"]) == ("Failure", code)
    message: str = status["message"]
    assert message
    assert "Traceback" not in message
    assert TOKEN not in message
    return message
