"""Random RBAC objects and requests that meet often; names are odd where RBAC lets them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from authsvc.interfaces import Attributes, UserInfo

VERBS = ("get", "get", "get", "list", "create", "*", "impersonate:user-info")
GROUPS = ("", "", "", "apps", "*", "a.io")
RESOURCES = (
    "pods",
    "pods",
    "pods/log",
    "pods/*",
    "*",
    "*/log",
    "*/scale",
    "deployments",
    "x/y/z",
    "*/*",
)
NAMES = ("a", "a", "b", "a*", "[ab]", "*", "a|b", "x\\")
URLS = ("/a", "/a/*", "/a*", "*", "**", "/", "/a/**", "/[a]", "/a/b", "b*")
PEOPLE = ("a", "a", "a", "a", "b", "a|b", "role:r", 'x,"y"', "#c", "*", "user:a", " d")
ROLES = ("r", "r", "s")
NAMESPACES = ("n", "n", "m")


# one_of() would not count a branch twice.
_MOSTLY = st.sampled_from((*[True] * 15, False))


def _some(values: tuple[str, ...], most: int = 3) -> st.SearchStrategy[list[str]]:
    some = st.lists(st.sampled_from(values), min_size=1, max_size=most)
    return st.builds(lambda there, listed: listed if there else [], _MOSTLY, some)


_RESOURCE_RULE = st.fixed_dictionaries(
    {"verbs": _some(VERBS), "apiGroups": _some(GROUPS), "resources": _some(RESOURCES)},
    optional={"resourceNames": _some(NAMES, 2)},
)
_URL_RULE = st.fixed_dictionaries({"verbs": _some(VERBS), "nonResourceURLs": _some(URLS)})
RULES = st.lists(
    st.one_of(_RESOURCE_RULE, _RESOURCE_RULE, _RESOURCE_RULE, _URL_RULE), min_size=1, max_size=3
)

_NAMED = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(("User", "User", "Group", "Group", "Robot")),
        "name": st.sampled_from(PEOPLE),
    }
)
_ACCOUNT = st.fixed_dictionaries(
    {"kind": st.just("ServiceAccount"), "name": st.sampled_from(("a", "b"))},
    optional={"namespace": st.sampled_from(NAMESPACES)},
)
SUBJECTS = st.lists(st.one_of(_NAMED, _ACCOUNT), max_size=4)

_HOMES = (("ClusterRole", ""), ("Role", "n"), ("Role", "m"))
_ROLES = st.lists(
    st.tuples(st.sampled_from(_HOMES), st.sampled_from(ROLES), RULES),
    min_size=2,
    max_size=6,
    unique_by=lambda role: role[:2],
)
_BOUND = st.tuples(
    st.sampled_from(("", *NAMESPACES)),
    st.sampled_from(("ClusterRole", "Role")),
    st.sampled_from(ROLES),
    SUBJECTS,
)


def _metadata(name: str, namespace: str) -> dict[str, str]:
    return {"name": name, **({"namespace": namespace} if namespace else {})}


def _objects(roles: list[Any], bindings: list[Any]) -> list[dict[str, Any]]:
    """Roles, each once, and bindings of them and of some that do not exist."""
    found = [
        {"kind": kind, "metadata": _metadata(name, namespace), "rules": rules}
        for (kind, namespace), name, rules in roles
    ]
    for number, (namespace, kind, name, subjects) in enumerate(bindings):
        found.append(
            {
                "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
                "metadata": _metadata(f"b{number}", namespace),
                "subjects": subjects,
                "roleRef": {"kind": kind if namespace else "ClusterRole", "name": name},
            }
        )
    return found


OBJECTS = st.builds(_objects, _ROLES, st.lists(_BOUND, min_size=3, max_size=6))

_USER = st.builds(
    UserInfo,
    st.sampled_from((*PEOPLE, "system:serviceaccount:n:a", "system:serviceaccount:m:b")),
    st.just(""),
    st.lists(st.sampled_from(PEOPLE), max_size=4).map(tuple),
    st.just({}),
)
_VERB = st.sampled_from(VERBS)
AIMED = Attributes(UserInfo("a", "", ("a", "b")), "get", True, "n", "", "v1", "pods", "", "a")
"""What many rules are about; requests differ from it in a field or two."""


def _aimed(changes: list[tuple[str, Any]]) -> Attributes:
    return AIMED._replace(**dict(changes))


_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "user": _USER,
    "verb": _VERB,
    "namespace": st.sampled_from(("", *NAMESPACES)),
    "api_group": st.sampled_from(GROUPS),
    "resource": st.sampled_from(("deployments", "*", "x")),
    "subresource": st.sampled_from(("log", "scale", "*", "y/z")),
    "name": st.sampled_from(("", *NAMES)),
}
_RESOURCE = st.lists(
    st.one_of([st.tuples(st.just(field), value) for field, value in _FIELDS.items()]), max_size=3
).map(_aimed)
# Every path begins with a slash: one that does not is only in reviews made by hand.
_PATHS = st.sampled_from(("/", "/a", "/a/", "/a/b", "/[a]", "/ab", "/*", "/a*"))
_PATH = st.builds(
    lambda user, verb, path: Attributes(user, verb, False, path=path), _USER, _VERB, _PATHS
)
REQUEST = st.one_of(_RESOURCE, _RESOURCE, _RESOURCE, _PATH)
