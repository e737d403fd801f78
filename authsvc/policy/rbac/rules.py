"""What one PolicyRule means, cell by cell.

RBAC compares strings, with these exceptions and no others: ``*`` alone is every
verb, group, resource or URL; ``*/scale`` is every resource's scale; a URL that
ends in stars is a prefix, so ``**`` is every URL as well. But ``pods/*`` in RBAC
is a subresource named ``*``, which is why cells are built here, not copied.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from authsvc.policy.escapes import escape
from authsvc.policy.rbac.objects import PolicyRule

_UNSAYABLE = re.compile(r"[\x00-\x1f\x7f]")


class Cells(NamedTuple):
    """The cells of a row that a rule fills."""

    what: str
    which: str
    may: str


class Unsayable(ValueError):  # noqa: N818  not a failure: what the language has no word for
    """A rule means something that no row can say."""


class Pointless(ValueError):  # noqa: N818
    """A rule grants nothing, in RBAC neither."""


def rows(rule: PolicyRule, *, namespaced: bool) -> Iterator[Cells | Pointless]:
    """Yield the rows that say what a rule says, and what of it grants nothing.

    ``namespaced``: the rule is a Role's, whose URLs RBAC never looks at.

    Raises:
        Unsayable: with the reason.
    """
    verbs = rule.verbs or ()
    if not verbs:
        yield Pointless("a rule without verbs")
        return
    may = _joined(["*"] if "*" in verbs else [literal(verb) for verb in verbs])
    resources, urls = rule.resources or (), rule.non_resource_urls or ()
    if resources:
        yield from _resource_rows(rule, resources, may)
    if urls and namespaced:
        yield Pointless("URLs in a Role")
    elif urls:
        yield from _url_rows(urls, may)
    if not resources and not urls:
        yield Pointless("a rule without resources and URLs")


def _resource_rows(
    rule: PolicyRule, resources: Iterable[str], may: str
) -> Iterator[Cells | Pointless]:
    groups = rule.api_groups or ()
    if not groups:
        yield Pointless("a rule without apiGroups")
        return
    names = rule.resource_names or ()
    if "" in names:
        raise Unsayable("an empty name in resourceNames, which is a request without a name")
    which = _joined([literal(name) for name in names]) or "*"
    cells = []
    for resource in resources:
        if not _can_exist(resource):
            yield Pointless(f"no API has a resource {resource!r}")
            continue
        cells += [_what(group, resource) for group in groups]
    if "*" in cells:
        cells = ["*"]
    if cells:
        yield Cells(_joined(cells), which, may)


def _can_exist(resource: str) -> bool:
    # A resource's name is a DNS label; `deployments.apps` is a common slip, and
    # grants nothing in RBAC.
    main = resource.partition("/")[0]
    return bool(main) and (main == "*" or "." not in main)


def _what(group: str, resource: str) -> str:
    main, slash, sub = resource.partition("/")
    if group == "core":
        raise Unsayable("an API group named core, which is the empty one's name here")
    if main == "*":
        suffix = {"*": "", "": ".core"}.get(group, f".{literal(group)}")
    else:
        main = literal(main)
        suffix = {"*": ".*", "": ""}.get(group, f".{literal(group)}")
    if slash and not sub:
        raise Unsayable(f"a resource that ends in a slash: {resource!r}")
    # RBAC's `*/*` is no wildcard of subresources, but every resource's one named `*`.
    return f"{main}{suffix}/{literal(sub)}" if slash else main + suffix


def _url_rows(urls: Iterable[str], may: str) -> Iterator[Cells | Pointless]:
    cells = []
    for url in urls:
        if url and not url.strip("*"):
            cells.append("/*")  # an API server's paths all begin with a slash
        elif not url.startswith("/"):
            yield Pointless(f"no path begins like {url!r}")
        elif url.endswith("*"):
            cells.append(f"{literal(url.rstrip('*'))}*")
        else:
            cells.append(literal(url))
    if cells:
        yield Cells(_joined(cells), "*", may)


def literal(text: str) -> str:
    """Write a name so that it is read as exactly itself.

    Raises:
        Unsayable: it has a control character.
    """
    if _UNSAYABLE.search(text):
        raise Unsayable(f"a control character in {text!r}")
    return escape(text)


def _joined(options: Iterable[str]) -> str:
    return "|".join(dict.fromkeys(options))
