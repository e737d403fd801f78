"""Asking the API server about oneself: who am I, and may I, and why.

SelfSubjectReview (authentication.k8s.io/v1), SelfSubjectAccessReview and
SubjectAccessReview (authorization.k8s.io/v1), posted through kubectl.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from authsvc.client.errors import ClientError, printable
from authsvc.client.kubectl import Kubectl

_AUTHENTICATION = "authentication.k8s.io/v1"
_AUTHORIZATION = "authorization.k8s.io/v1"


@dataclass(frozen=True)
class Answer:
    """What an access review says: a verdict, and its ground where one is given."""

    allowed: bool
    denied: bool
    reason: str
    error: str


@dataclass(frozen=True)
class Question:
    """May they? In kubectl's words.

    ``what`` is TYPE[.GROUP][/NAME] or a path beginning with ``/``; ``user``
    and ``groups`` are empty for oneself.
    """

    verb: str
    what: str
    namespace: str
    subresource: str = ""
    user: str = ""
    groups: Sequence[str] = ()


def who_am_i(kubectl: Kubectl) -> dict[str, object]:
    """Return the UserInfo that the API server has of the current user.

    Raises:
        ClientError: kubectl could not ask.
    """
    review = {"apiVersion": _AUTHENTICATION, "kind": "SelfSubjectReview"}
    answer = kubectl.post(f"/apis/{_AUTHENTICATION}/selfsubjectreviews", review)
    user = _mapping(answer.get("status")).get("userInfo")
    if not isinstance(user, dict):
        raise ClientError("the API server's SelfSubjectReview names no user")
    return user


def may(kubectl: Kubectl, question: Question) -> Answer:
    """Ask the API server's authorizers.

    Raises:
        ClientError: kubectl could not ask.
    """
    spec: dict[str, object] = {}
    if question.what.startswith("/"):
        spec["nonResourceAttributes"] = {"verb": question.verb, "path": question.what}
    else:
        spec["resourceAttributes"] = _resource(kubectl, question)
    kind = "SelfSubjectAccessReview"
    if question.user or question.groups:
        kind = "SubjectAccessReview"
        spec.update(user=question.user, groups=list(question.groups))
    review = {"apiVersion": _AUTHORIZATION, "kind": kind, "spec": spec}
    answer = kubectl.post(f"/apis/{_AUTHORIZATION}/{kind.lower()}s", review)
    status = _mapping(answer.get("status"))
    return Answer(
        allowed=status.get("allowed") is True,
        denied=status.get("denied") is True,
        reason=printable(str(status.get("reason", "")), 1024),
        error=printable(str(status.get("evaluationError", "")), 1024),
    )


def _resource(kubectl: Kubectl, question: Question) -> dict[str, str]:
    kind, _, name = question.what.partition("/")
    resource, dot, group = kind.partition(".")
    attributes = {
        "verb": question.verb,
        "resource": resource,
        "group": group,
        "namespace": question.namespace,
        "name": name,
        "subresource": question.subresource,
    }
    if not dot and resource != "*":
        attributes.update(_resolve(kubectl, resource))
    return {name: value for name, value in attributes.items() if value}


def _resolve(kubectl: Kubectl, name: str) -> dict[str, str]:
    """Find what ``name`` means on this API server: po, pod, Pod and pods are one.

    An access review does not look; it would answer for a type that is not there.
    """
    for line in kubectl.run("api-resources", "--no-headers", "--cached").splitlines():
        cells = line.split()  # NAME [SHORTNAMES] APIVERSION NAMESPACED KIND
        if len(cells) < 4:
            continue
        version, namespaced, kind = cells[-3:]
        short = cells[1].split(",") if len(cells) > 4 else []
        if name.lower() not in (cells[0], kind.lower(), *short):
            continue
        found = {"resource": cells[0], "group": version.rpartition("/")[0]}
        return found if namespaced == "true" else {**found, "namespace": ""}
    raise ClientError(
        f"the API server has no resource type {name!r}: see `kubectl api-resources`, "
        "or write TYPE.GROUP to ask all the same"
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
