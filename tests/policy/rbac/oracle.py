"""RBAC's own evaluation, once more and plainly: the judge of what an import grants.

Written after the meaning of Kubernetes' pkg/apis/rbac/v1/evaluation_helpers.go
and pkg/registry/rbac/validation/rule.go: which rules a user has where, and what
one rule allows. It knows nothing of policy rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from authsvc.interfaces import Attributes

Object = Mapping[str, Any]


def allowed(objects: Iterable[Object], request: Attributes) -> bool:
    """Whether RBAC allows a request."""
    return any(_rule_allows(rule, request) for rule in _rules(list(objects), request))


def _rules(objects: list[Object], request: Attributes) -> Iterator[Object]:
    for binding in objects:
        metadata = binding["metadata"]
        namespace = metadata.get("namespace", "")
        if binding["kind"] == "ClusterRoleBinding":
            namespace = ""
        elif (
            binding["kind"] != "RoleBinding"
            or not request.resource_request
            or namespace != request.namespace
            or not namespace
        ):
            # Rules of namespaces are asked for a request in one; paths are in none.
            continue
        if any(_is(subject, namespace, request) for subject in binding.get("subjects") or ()):
            yield from _of_role(objects, binding["roleRef"], namespace)


def _of_role(objects: list[Object], reference: Object, namespace: str) -> Iterator[Object]:
    for role in objects:
        if role["kind"] != reference["kind"] or role["metadata"]["name"] != reference["name"]:
            continue
        if role["kind"] == "ClusterRole" or role["metadata"]["namespace"] == namespace:
            yield from role.get("rules") or ()


def _is(subject: Object, namespace: str, request: Attributes) -> bool:
    user = request.user
    if subject["kind"] == "User":
        return bool(user.username == subject["name"])
    if subject["kind"] == "Group":
        return subject["name"] in user.groups
    if subject["kind"] == "ServiceAccount":
        home = subject.get("namespace") or namespace
        return bool(home) and user.username == f"system:serviceaccount:{home}:{subject['name']}"
    return False


def _rule_allows(rule: Object, request: Attributes) -> bool:
    verbs = rule.get("verbs") or ()
    if "*" not in verbs and request.verb not in verbs:
        return False
    if not request.resource_request:
        return any(_url_matches(url, request.path) for url in rule.get("nonResourceURLs") or ())
    groups = rule.get("apiGroups") or ()
    names = rule.get("resourceNames") or ()
    return (
        ("*" in groups or request.api_group in groups)
        and any(_resource_matches(one, request) for one in rule.get("resources") or ())
        and (not names or request.name in names)
    )


def _resource_matches(resource: str, request: Attributes) -> bool:
    combined = request.resource
    if request.subresource:
        combined += f"/{request.subresource}"
        if resource == f"*/{request.subresource}":
            return True
    return resource in {"*", combined}


def _url_matches(url: str, path: str) -> bool:
    if url in {"*", path}:
        return True
    return url.endswith("*") and path.startswith(url.rstrip("*"))
