"""Atoms in RBAC's words: the strings of a PolicyRule, a subject, a namespace.

The reverse of ``rules``: what RBAC has no word for is an error here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from authsvc.policy import spaces
from authsvc.policy.atoms import Atom
from authsvc.policy.cells import ANY, EVERY_USER, SERVICE_ACCOUNT_USER, Resource
from authsvc.policy.rbac.objects import GROUP
from authsvc.policy.rbac.rules import Unsayable
from authsvc.policy.spaces import Space

_EVERYBODY: Final = ("system:authenticated", "system:unauthenticated")
_ACCOUNT: Final = re.compile(re.escape(SERVICE_ACCOUNT_USER) + r"([^:/]+):([^:/]+)")

Object = dict[str, Any]


def namespace_of(where: Space) -> str:
    """Return the one namespace, or "" for everywhere.

    Raises:
        Unsayable: globs.
    """
    if not where:
        return ""
    name = spaces.literal(where)
    if name is None:
        raise Unsayable(f"RBAC has no globs in namespaces: {spaces.show(where)}")
    return name


def policy_rules(atoms: list[Atom]) -> list[Object]:
    """Return the rules that say what the atoms of one row say: all combinations of a few cells.

    Raises:
        Unsayable: with the reason.
    """
    verbs = list(dict.fromkeys(_verb(atom.verb) for atom in atoms))
    if not isinstance(atoms[0].target, Resource):
        paths = [_url(atom.target) for atom in atoms if not isinstance(atom.target, Resource)]
        return [{"nonResourceURLs": list(dict.fromkeys(paths)), "verbs": verbs}]
    every = any(not atom.which for atom in atoms)
    names = [] if every else list(dict.fromkeys(spaces.literal(atom.which) for atom in atoms))
    targets = [atom.target for atom in atoms if isinstance(atom.target, Resource)]
    groups: dict[str, list[str]] = {}
    for target in dict.fromkeys(targets):
        groups.setdefault(_group(target), []).append(_resource(target))
    return [
        {
            "apiGroups": [group],
            "resources": list(dict.fromkeys(resources)),
            **({"resourceNames": [*names]} if names else {}),
            "verbs": [*verbs],
        }
        for group, resources in groups.items()
    ]


def _verb(verb: str | None) -> str:
    if verb == "*":
        raise Unsayable("RBAC has no verb that is named '*'")
    return "*" if verb is None else verb


def _group(target: Resource) -> str:
    if target.group == "*":
        raise Unsayable("RBAC has no API group that is named '*'")
    return target.group if isinstance(target.group, str) else "*"


def _resource(target: Resource) -> str:
    resource, _, subresource = target
    if resource == "*" or (isinstance(resource, str) and "/" in resource):
        raise Unsayable(f"RBAC has no resource that is named {resource!r}")
    if resource == ANY and subresource == ANY:
        return "*"
    if not isinstance(subresource, str):
        raise Unsayable("RBAC has no wildcard for the subresources of a resource")
    main = resource if isinstance(resource, str) else "*"
    return f"{main}/{subresource}" if subresource else main


def _url(path: Space) -> str:
    text = spaces.show(path)
    name = spaces.literal(path) if path else None
    if name is not None and not name.endswith("*"):
        return name
    prefix = text.removesuffix("*")
    if (
        name is None
        and text.endswith("*")
        and (start := spaces.literal(frozenset({prefix or "/"})))
    ):
        return f"{start}*" if not start.endswith("*") else _no_url(text)
    return _no_url(text)


def _no_url(text: str) -> str:
    raise Unsayable(f"RBAC has no such path: {text}; it has /a/b and /a/*")


def subjects_of(subject: str) -> Iterator[Object]:
    """Yield a subject in canonical form as RBAC has it."""
    if subject == EVERY_USER:
        for group in _EVERYBODY:
            yield {"apiGroup": GROUP, "kind": "Group", "name": group}
        return
    if account := _ACCOUNT.fullmatch(subject):
        yield {"kind": "ServiceAccount", "namespace": account[1], "name": account[2]}
        return
    kind, _, name = subject.partition(":")
    yield {"apiGroup": GROUP, "kind": kind.capitalize(), "name": name}
