"""What there is to be asked about: the resources of an API server, with their verbs.

The shipped list is Kubernetes' own. A cluster's is read from its discovery:
what ``kubectl get --raw /apis`` prints, in the aggregated form or the older
one, or the table of ``kubectl api-resources -o wide``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib import resources as package_resources
from typing import Any, Final, NamedTuple

from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.policy import lines
from authsvc.policy.cells import ANY, Resource

VERBS: Final = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
"""The verbs that nearly every resource has, in the order in which they are shown."""

HTTP_VERBS: Final = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
"""The verbs of requests for a path: the method, in lower case."""


class Known(NamedTuple):
    """A resource or subresource that exists. ``name`` is in kubectl's notation.

    A resource or subresource ``*`` stands for names that nobody lists: the
    finalizers of any resource, the extra value of any key.
    """

    name: str
    group: str
    resource: str
    subresource: str
    namespaced: bool
    verbs: frozenset[str]
    kind: str = ""
    short: tuple[str, ...] = ()


class Catalogue:
    """The resources of an API server.

    ``complete``: what is not here does not exist. The shipped list is not: it
    says nothing about groups that are not Kubernetes' own.
    """

    def __init__(self, known: Iterable[Known], *, complete: bool) -> None:
        self.complete = complete
        self.known: dict[str, Known] = {}
        for one in known:
            other = self.known.get(one.name)
            if other is not None:
                one = other._replace(  # noqa: PLW2901  the two together
                    verbs=other.verbs | one.verbs,
                    kind=other.kind or one.kind,
                    short=other.short or one.short,
                )
            self.known[one.name] = one
        self.groups = {one.group for one in self.known.values() if one.resource != "*"}
        self.verbs = frozenset(verb for one in self.known.values() for verb in one.verbs)
        self._spellings = self._spell()

    @classmethod
    def shipped(cls) -> Catalogue:
        """Return Kubernetes' own resources."""
        return cls((*_shipped("resources"), *_shipped("authorization-only")), complete=False)

    @classmethod
    def of_cluster(cls, text: str, source: str) -> Catalogue:
        """Read a discovery document, several one after the other, or kubectl's table.

        What only authorizers are asked about is added: no discovery has it.

        Raises:
            InvalidConfigurationError: it is none of these.
        """
        found = list(_discovery(text, source))
        if not found:
            raise InvalidConfigurationError([ConfigError(source, "lists no resources")])
        if not any(one.subresource for one in found):  # kubectl's table has none
            listed = {one.name for one in found}
            found += [one for one in _shipped("resources") if one.name.partition("/")[0] in listed]
        return cls([*found, *_shipped("authorization-only")], complete=True)

    def matching(self, resource: Resource) -> list[Known]:
        """Return those that an alternative of a cell ``what`` covers."""
        if isinstance(resource.resource, str) and isinstance(resource.group, str):
            # The common case is a look-up: an exact resource, or one of its subresources.
            name = name_of(resource.resource, resource.group)
            candidates: Iterable[Known] = self._family(name)
        else:
            candidates = self.known.values()
        named = isinstance(resource.subresource, str)  # `*.apps` is not there for its finalizers
        return [
            one for one in candidates if (named or one.resource != "*") and covers(resource, one)
        ]

    def judges(self, group: str) -> bool:
        """Whether a resource of this group that is not here does not exist."""
        return self.complete or group in self.groups or "." not in group

    def suggest(self, resource: str, group: str, subresource: str) -> str:
        """Return the name that was perhaps meant, or ""."""
        main = self._spellings.get(name_of(resource, group).lower()) or self._spellings.get(
            resource.lower()
        )
        if main is None:
            near = get_close_matches(name_of(resource, group), self._spellings, 1, 0.8)
            main = self._spellings[near[0]] if near else None
        if main is None:
            return ""
        if not subresource:
            return main
        subs = [one.subresource for one in self._family(main) if one.subresource]
        near = get_close_matches(subresource, subs, 1, 0.6)
        return f"{main}/{near[0]}" if near else main

    def _family(self, main: str) -> list[Known]:
        group = main.partition(".")[2]
        resource = main.partition(".")[0]
        return [
            one for one in self.known.values() if one.group == group and one.resource == resource
        ] + [one for one in self.known.values() if one.resource == "*"]

    def _spell(self) -> dict[str, str]:
        """Return what people write in place of a resource's name: kind, short name, no group."""
        spellings: dict[str, str] = {}
        for one in self.known.values():
            if one.subresource or one.resource == "*":
                continue
            spellings[one.name] = one.name
        for one in self.known.values():
            if one.subresource or one.resource == "*":
                continue
            kind = one.kind.lower()
            for word in (one.resource, kind, kind and name_of(kind, one.group), *one.short):
                if word:
                    spellings.setdefault(word, one.name)
        return spellings


def name_of(resource: str, group: str, subresource: str = "") -> str:
    """Return a resource in kubectl's notation."""
    main = f"{resource}.{group}" if group else resource
    return f"{main}/{subresource}" if subresource else main


def split_name(name: str) -> tuple[str, str, str]:
    """Return resource, group and subresource of a name in kubectl's notation."""
    main, _, subresource = name.partition("/")
    resource, _, group = main.partition(".")
    return resource, group, subresource


def covers(resource: Resource, one: Known) -> bool:
    """Whether an alternative of a cell ``what`` covers a resource that exists."""
    return (
        (resource.resource in {ANY, one.resource} or one.resource == "*")
        and (resource.group in {ANY, one.group} or one.resource == "*")
        and (
            resource.subresource == one.subresource
            or (one.subresource == "*" and bool(resource.subresource))
            if isinstance(resource.subresource, str)
            else resource.subresource == ANY or bool(one.subresource)
        )
    )


def known(
    name: str, namespaced: bool, verbs: Iterable[str], kind: str = "", short: str = ""
) -> Known:
    """Make one from its name in kubectl's notation."""
    resource, group, subresource = split_name(name)
    return Known(
        *(name, group, resource, subresource, namespaced, frozenset(verbs), kind),
        tuple(short.split()),
    )


def _shipped(table: str) -> Iterator[Known]:
    file = package_resources.files("authsvc.policy") / "shipped" / f"{table}.csv"
    for line in file.read_text(encoding="utf-8").splitlines():
        if not lines.is_comment(line):
            name, namespaced, verbs, kind, short = lines.split_row(line)
            yield known(name, namespaced == "yes", verbs.split("|"), kind, short)


def _discovery(text: str, source: str) -> Iterator[Known]:
    if not text.lstrip().startswith("{"):
        yield from _table(text, source)
        return
    try:
        for document in _documents(text):
            yield from _of_document(document)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InvalidConfigurationError(
            [ConfigError(source, "is not a discovery document of Kubernetes")]
        ) from None


def _documents(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield JSON documents that stand one after the other, as ``kubectl get --raw`` gives them."""
    import json

    decoder = json.JSONDecoder()
    at = 0
    while at < len(text):
        document, end = decoder.raw_decode(text, at)
        yield document
        at = re.compile(r"\s*").match(text, end).end()  # type: ignore[union-attr]  # it matches ""


def _of_document(document: Mapping[str, Any]) -> Iterator[Known]:
    kind = document["kind"]
    if kind == "APIResourceList":
        group = document["groupVersion"].rpartition("/")[0]
        yield from (_of_list(one, group) for one in document["resources"])
    elif kind == "APIGroupDiscoveryList":
        for item in document["items"]:
            group = item["metadata"].get("name", "")
            for version in item["versions"]:
                for one in version.get("resources", ()):
                    yield from _of_aggregated(one, group)
    elif kind == "List":
        for item in document["items"]:
            yield from _of_document(item)
    else:
        raise ValueError(kind)


def _of_list(one: Mapping[str, Any], group: str) -> Known:
    resource, _, subresource = one["name"].partition("/")
    name = name_of(resource, group, subresource)
    kind = "" if subresource else one.get("kind", "")
    return known(name, one["namespaced"], one["verbs"], kind, " ".join(one.get("shortNames", ())))


def _of_aggregated(one: Mapping[str, Any], group: str) -> Iterator[Known]:
    namespaced = one["scope"] == "Namespaced"
    if verbs := one.get("verbs"):
        kind = one.get("responseKind", {}).get("kind", "")
        short = " ".join(one.get("shortNames", ()))
        yield known(name_of(one["resource"], group), namespaced, verbs, kind, short)
    for sub in one.get("subresources", ()):
        name = name_of(one["resource"], group, sub["subresource"])
        yield known(name, namespaced, sub.get("verbs", ()))


def _table(text: str, source: str) -> Iterator[Known]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0] == "NAME":
            continue
        at = next((at for at, word in enumerate(words) if word in {"true", "false"}), 0)
        if not 2 <= at <= 3 or len(words) < at + 3:
            raise InvalidConfigurationError(
                [ConfigError(f"{source}:{number}", "not a line of kubectl api-resources -o wide")]
            )
        group = words[at - 1].rpartition("/")[0]
        short = words[1].replace(",", " ") if at == 3 else ""
        yield known(
            name_of(words[0], group),
            words[at] == "true",
            words[at + 2].split(","),
            words[at + 1],
            short,
        )
