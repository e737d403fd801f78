"""All of a cluster's RBAC into one policy file.

A ClusterRole ``x`` becomes ``role:x`` and a Role ``x`` of a namespace
``role:NAMESPACE/x``; a binding becomes a grant in its namespace, or everywhere.
What grants nothing becomes a comment and a warning; what cannot be said becomes
an error, since leaving it out would change what is granted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from authsvc.policy.lines import join_row
from authsvc.policy.rbac.objects import Binding, PolicyRule, Role, Subject, title
from authsvc.policy.rbac.rules import Pointless, Unsayable, literal, rows


class Note(NamedTuple):
    """Something to know about an object."""

    object: str
    message: str

    def __str__(self) -> str:
        return f"{self.object}: {self.message}"


class Imported(NamedTuple):
    """A policy file's text; it is only to be used where there are no errors.

    Without rows (``has_rows``) it takes no file's place: that has to be meant.
    """

    text: str
    has_rows: bool
    warnings: tuple[Note, ...]
    errors: tuple[Note, ...]


_Key = tuple[str, str]


def import_rbac(objects: Iterable[Role | Binding]) -> Imported:
    """Write the rows of RBAC objects, in the order of the objects, roles first."""
    importer = _Importer()
    every = list(objects)
    for item in every:
        if isinstance(item, Role):
            importer.know(item)
    importer.write_roles()
    for item in every:
        if isinstance(item, Binding):
            importer.write_binding(item)
    return importer.result()


class _Importer:
    def __init__(self) -> None:
        self._roles: dict[_Key, Role] = {}
        self._granting: set[_Key] = set()
        self._lines: list[str] = []
        self._warnings: list[Note] = []
        self._errors: list[Note] = []

    def know(self, role: Role) -> None:
        key = _key(role)
        known = self._roles.setdefault(key, role)
        if known != role:
            self._errors.append(Note(title(role), "given twice, differently"))

    def result(self) -> Imported:
        has_rows = any(line.startswith(("p,", "g,")) for line in self._lines)
        text = "".join(f"{line}\n" for line in self._lines)
        return Imported(text, has_rows, tuple(self._warnings), tuple(self._errors))

    def write_roles(self) -> None:
        for key, role in self._roles.items():
            self._comment(title(role))
            for rule in effective_rules(role, self._roles):
                self._write_rule(key, role, rule)
            if key not in self._granting:
                self._pointless(title(role), "has no rule that grants anything")

    def _write_rule(self, key: _Key, role: Role, rule: PolicyRule) -> None:
        try:
            name = _role_cell(key)
            for row in rows(rule, namespaced=role.kind == "Role"):
                if isinstance(row, Pointless):
                    self._pointless(title(role), str(row))
                    continue
                self._lines.append(
                    join_row(["p", name, "*", row.what, row.which, row.may, "allow"])
                )
                self._granting.add(key)
        except Unsayable as error:
            self._errors.append(Note(title(role), str(error)))

    def write_binding(self, binding: Binding) -> None:
        name = title(binding)
        namespace = binding.metadata.namespace if binding.kind == "RoleBinding" else ""
        self._comment(name)
        reference = binding.role_ref
        key = (namespace if reference.kind == "Role" else "", reference.name)
        if key not in self._roles:
            self._pointless(name, f"{reference.kind} {reference.name} does not exist")
            return
        if key not in self._granting:
            self._pointless(name, f"{reference.kind} {reference.name} grants nothing")
            return
        if not binding.subjects:
            self._pointless(name, "is for nobody")
        try:
            where = literal(namespace) if namespace else "*"
            for subject in binding.subjects or ():
                who = _who(subject, namespace)
                if isinstance(who, Pointless):
                    self._pointless(name, str(who))
                else:
                    self._lines.append(join_row(["g", who, _role_cell(key), where]))
        except Unsayable as error:
            self._errors.append(Note(name, str(error)))

    def _comment(self, text: str) -> None:
        self._lines += ["", f"# {_one_line(text)}"] if self._lines else [f"# {_one_line(text)}"]

    def _pointless(self, name: str, message: str) -> None:
        self._lines.append(f"# grants nothing: {_one_line(message)}")
        self._warnings.append(Note(name, f"{message}; it grants nothing in RBAC either"))


def effective_rules(role: Role, roles: Mapping[_Key, Role]) -> Sequence[PolicyRule]:
    """Return a role's rules; those of an aggregated one that no controller has filled, gathered.

    The controller writes what it gathered into ``rules``, and the API server
    looks nowhere else; so where they are there, they are what counts.
    """
    if role.rules or role.aggregation_rule is None:
        return role.rules or ()
    gathered: dict[PolicyRule, None] = {}
    _gather(role, roles, gathered, set())
    return tuple(gathered)


def _gather(
    role: Role, roles: Mapping[_Key, Role], gathered: dict[PolicyRule, None], seen: set[_Key]
) -> None:
    key = _key(role)
    if key in seen:
        return
    seen.add(key)
    gathered.update(dict.fromkeys(role.rules or ()))
    selectors = (role.aggregation_rule and role.aggregation_rule.cluster_role_selectors) or ()
    for other in roles.values():
        labels = other.metadata.labels or {}
        if other.kind == "ClusterRole" and any(each.matches(labels) for each in selectors):
            _gather(other, roles, gathered, seen)


def _key(role: Role) -> _Key:
    return (role.metadata.namespace if role.kind == "Role" else "", role.metadata.name)


def _role_cell(key: _Key) -> str:
    namespace, name = key
    return f"role:{literal(f'{namespace}/{name}' if namespace else name)}"


def _who(subject: Subject, namespace: str) -> str | Pointless:
    name = literal(subject.name)
    if not name:
        return Pointless(f"a {subject.kind} without a name")
    match subject.kind:
        case "User":
            return f"user:{name}"
        case "Group":
            return f"group:{name}"
        case "ServiceAccount":
            home = subject.namespace or namespace
            if not home:
                return Pointless(f"ServiceAccount {subject.name} without a namespace")
            return f"user:system:serviceaccount:{literal(home)}:{name}"
    return Pointless(f"{subject.kind!r} is no kind of subject")


def _one_line(text: str) -> str:
    return " ".join(text.split())
