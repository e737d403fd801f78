"""Reading ``rbac.authorization.k8s.io/v1`` objects, as JSON or YAML, alone or in lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import yaml

from authsvc.decoding.faults import fault_of, in_plain_words
from authsvc.decoding.yaml_text import placed_faults
from authsvc.errors import ConfigError, InvalidConfigurationError

GROUP = "rbac.authorization.k8s.io"


class PolicyRule(msgspec.Struct, rename="camel", frozen=True):
    """What may be done with which resources, or which URLs."""

    verbs: tuple[str, ...] | None = ()
    api_groups: tuple[str, ...] | None = ()
    resources: tuple[str, ...] | None = ()
    resource_names: tuple[str, ...] | None = ()
    non_resource_urls: tuple[str, ...] | None = msgspec.field(name="nonResourceURLs", default=())


class Metadata(msgspec.Struct, frozen=True):
    """Of ObjectMeta what matters here."""

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None


class LabelRequirement(msgspec.Struct, frozen=True):
    """One expression of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] | None = ()


class LabelSelector(msgspec.Struct, rename="camel", frozen=True):
    """Which ClusterRoles an aggregated one takes in."""

    match_labels: dict[str, str] | None = None
    match_expressions: tuple[LabelRequirement, ...] | None = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are selected; an operator nobody knows selects nothing."""
        return all(
            labels.get(key) == value for key, value in (self.match_labels or {}).items()
        ) and all(_holds(each, labels) for each in self.match_expressions or ())


class AggregationRule(msgspec.Struct, rename="camel", frozen=True):
    """The selectors of an aggregated ClusterRole: any of them is enough."""

    cluster_role_selectors: tuple[LabelSelector, ...] | None = ()


class Subject(msgspec.Struct, rename="camel", frozen=True):
    """Whom a binding is for."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


class RoleRef(msgspec.Struct, frozen=True):
    """What a binding gives."""

    kind: str = ""
    name: str = ""


class Role(msgspec.Struct, rename="camel", frozen=True):
    """A Role or a ClusterRole."""

    kind: str
    metadata: Metadata = Metadata()
    rules: tuple[PolicyRule, ...] | None = ()
    aggregation_rule: AggregationRule | None = None


class Binding(msgspec.Struct, rename="camel", frozen=True):
    """A RoleBinding or a ClusterRoleBinding."""

    kind: str
    metadata: Metadata = Metadata()
    subjects: tuple[Subject, ...] | None = ()
    role_ref: RoleRef = RoleRef()


KINDS: Mapping[str, type[Role | Binding]] = {
    "ClusterRole": Role,
    "Role": Role,
    "ClusterRoleBinding": Binding,
    "RoleBinding": Binding,
}


def title(item: Role | Binding) -> str:
    """Return an object as people name it: ``RoleBinding team-a/devs``."""
    namespace = item.metadata.namespace
    if item.kind.startswith("Cluster") or not namespace:
        return f"{item.kind} {item.metadata.name}"
    return f"{item.kind} {namespace}/{item.metadata.name}"


def read(text: str, source: str) -> Iterator[Role | Binding]:
    """Read all RBAC objects of a text; other kinds are left out.

    Raises:
        InvalidConfigurationError: not JSON or YAML, or an object of the wrong
            form, with the object.
    """
    for document in _documents(text, source):
        for item in _items(document):
            yield from _object(item, source)


def _documents(text: str, source: str) -> Iterator[Any]:
    if text.lstrip().startswith("{"):
        try:
            yield msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise _unusable(source, str(error)) from None
        except RecursionError:
            raise _unusable(source, "nested too deeply") from None
    else:
        with placed_faults(source):
            yield from yaml.load_all(text, Loader=_YAML)


_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _items(document: Any) -> Iterator[Any]:
    if isinstance(document, Mapping) and isinstance(document.get("items"), list):
        # The items of a ClusterRoleList have no kind of their own.
        kind = str(document.get("kind", "")).removesuffix("List")
        for item in document["items"]:
            yield {"kind": kind, **item} if kind and isinstance(item, Mapping) else item
    elif document is not None:
        yield document


def _object(item: Any, source: str) -> Iterator[Role | Binding]:
    if not isinstance(item, Mapping):
        raise _unusable(source, "expected Kubernetes objects")
    kind = KINDS.get(str(item.get("kind", "")))
    group = str(item.get("apiVersion", GROUP)).partition("/")[0]
    if kind is None or group != GROUP:
        return
    try:
        yield msgspec.convert(item, kind)
    except msgspec.ValidationError as error:
        metadata = item.get("metadata")
        name = metadata.get("name", "?") if isinstance(metadata, Mapping) else "?"
        path, message = fault_of(error)
        place = f"{source}: {item['kind']} {name}" + (f": {path}" if path else "")
        raise _unusable(place, in_plain_words(message)) from None


def _unusable(place: str, message: str) -> InvalidConfigurationError:
    return InvalidConfigurationError([ConfigError(place, message)])


def _holds(requirement: LabelRequirement, labels: Mapping[str, str]) -> bool:
    key, values = requirement.key, requirement.values or ()
    match requirement.operator:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False
