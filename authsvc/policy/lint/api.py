"""Rules about what no API server is ever asked: resources, verbs, namespaces, names."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from authsvc.policy import globs
from authsvc.policy.cells import ANY, Paths, Resource
from authsvc.policy.lint.finding import Finding, Inspected, Kind, warning
from authsvc.policy.resources import HTTP_VERBS, Catalogue, Known, name_of
from authsvc.policy.rows import Action, Rules
from authsvc.policy.wording import show_target

_NAMELESS: Final = frozenset({"create", "deletecollection"})
"""Verbs of requests that name no object, where they are not for a subresource."""

_Said = tuple[Kind, str, str]


def misfits(inspected: Inspected) -> Iterator[Finding]:
    """Find rules that match no request that could be made."""
    rules = inspected.rows.rules
    said = [list(_of_action(action, inspected.catalogue)) for action in rules.actions]
    scopes = [_Scope(action, inspected.catalogue) for action in rules.actions]
    for row in range(len(rules)):
        for kind, message, help_ in said[rules.action[row]]:
            yield warning(rules[row], kind, message, help_)
        for kind, message, help_ in scopes[rules.action[row]].of_row(rules, row):
            yield warning(rules[row], kind, message, help_)


def _of_action(action: Action, catalogue: Catalogue) -> Iterator[_Said]:
    if isinstance(action.target, Paths):
        yield from _path_verbs(action)
        return
    found = {target: catalogue.matching(target) for target in action.target}
    for target, existing in found.items():
        if not existing:
            yield from _unknown(target, catalogue)
        elif action.verbs and not _is_open(target, catalogue):
            yield from _unfit_resource(target, existing, action.verbs, catalogue)
    yield from _unfit_verbs(action, found, catalogue)


def _path_verbs(action: Action) -> Iterator[_Said]:
    for verb in sorted((action.verbs or frozenset()) - HTTP_VERBS):
        near = {"list": "get", "watch": "get", "create": "post", "update": "put"}.get(verb)
        near = near or next(iter(get_close_matches(verb.lower(), HTTP_VERBS, 1)), None)
        help_ = f"did you mean {near}?" if near else f"there are {', '.join(sorted(HTTP_VERBS))}"
        yield Kind.UNFIT_VERB, f"a path is never asked for with the verb {verb}", help_


def _unknown(target: Resource, catalogue: Catalogue) -> Iterator[_Said]:
    resource, group, subresource = target
    name = show_target(target)
    if not isinstance(resource, str):
        if isinstance(group, str) and catalogue.judges(group) and group not in catalogue.groups:
            near = get_close_matches(group, catalogue.groups, 1)
            help_ = f"did you mean *.{near[0]}?" if near else ""
            yield Kind.UNKNOWN_RESOURCE, f"no API has the group {group}", help_
        return
    sub = subresource if isinstance(subresource, str) else ""
    suggestion = catalogue.suggest(resource, group if isinstance(group, str) else "", sub)
    help_ = f"did you mean {suggestion}?" if suggestion else ""
    if isinstance(group, str) and not catalogue.judges(group):
        near = get_close_matches(group, catalogue.groups, 1, 0.9)
        if near and near[0] != group:
            fixed = name_of(resource, near[0], sub)
            yield Kind.UNKNOWN_RESOURCE, f"no API is known to have {name}", f"did you mean {fixed}?"
    elif isinstance(group, str) or catalogue.complete:
        yield Kind.UNKNOWN_RESOURCE, f"no API has {name}", help_


def _is_open(target: Resource, catalogue: Catalogue) -> bool:
    """Whether there may be more that it matches than is known."""
    return not catalogue.complete and (
        not isinstance(target.group, str) or not catalogue.judges(target.group)
    )


def _slip(verb: str, catalogue: Catalogue) -> str:
    """Return the verb that was meant, where this one is none and nearly one."""
    if verb in catalogue.verbs:
        return ""
    return next(iter(get_close_matches(verb.lower(), catalogue.verbs, 1, 0.75)), "")


def _is_impersonation(verb: str) -> bool:
    # KEP-5284 has verbs that name another: impersonate-on:user-info:list.
    return verb.startswith("impersonate")


def _unfit_resource(
    target: Resource, existing: list[Known], verbs: frozenset[str], catalogue: Catalogue
) -> Iterator[_Said]:
    has = frozenset(verb for one in existing for verb in one.verbs)
    strange = sorted(verb for verb in verbs if not _slip(verb, catalogue))
    if strange and not has & verbs and not any(map(_is_impersonation, verbs)):
        name = show_target(target)
        message = f"{name} is never asked for with {' or '.join(strange)}"
        yield Kind.UNFIT_VERB, message, f"it has {', '.join(sorted(has))}"


def _unfit_verbs(
    action: Action, found: dict[Resource, list[Known]], catalogue: Catalogue
) -> Iterator[_Said]:
    has = frozenset(verb for every in found.values() for one in every for verb in one.verbs)
    is_open = any(_is_open(target, catalogue) for target in found)
    strange = []
    for verb in sorted((action.verbs or frozenset()) - has):
        if _is_impersonation(verb) or (verb in catalogue.verbs and is_open):
            continue
        if meant := _slip(verb, catalogue):
            yield Kind.UNFIT_VERB, f"no verb is known as {verb}", f"did you mean {meant}?"
        elif not is_open and all(found.values()):
            strange.append(verb)
    # Where none fits, that was said of each resource.
    if strange and (len(found) > 1 or has & (action.verbs or frozenset())):
        message = f"nothing in {action.what} is asked for with {' or '.join(strange)}"
        yield Kind.UNFIT_VERB, message, f"there are {', '.join(sorted(has))}"


class _Scope:
    """What an action needs of the cells where and which."""

    def __init__(self, action: Action, catalogue: Catalogue) -> None:
        self._cluster_scoped = self._nameless = False
        if isinstance(action.target, Paths):
            return
        existing = [catalogue.matching(target) for target in action.target]
        every = [one for found in existing for one in found]
        plain = all(isinstance(target.resource, str) for target in action.target)
        # A namespace itself is asked about in the namespace of its own name.
        self._cluster_scoped = (
            plain
            and all(existing)
            and not any(one.namespaced or one.resource == "namespaces" for one in every)
        )
        self._nameless = (
            bool(action.verbs)
            and (action.verbs or frozenset()) <= _NAMELESS
            and all(target.subresource in {"", ANY} for target in action.target)
        )
        self._what = action.what
        self._may = action.may

    def of_row(self, rules: Rules, row: int) -> Iterator[_Said]:
        """Yield what is wrong with one row's where and which."""
        if self._cluster_scoped and not globs.matches(rules.where[row], ""):
            where = globs.written(rules.where[row])
            message = f"{self._what} is cluster-scoped, so it is never asked for in {where}"
            yield Kind.NEVER_MATCHES, message, "write * for where"
        if self._nameless and not globs.matches(rules.which[row], ""):
            which = globs.written(rules.which[row])
            message = f"{self._may} names no object, so it never is for {which}"
            yield Kind.NEVER_MATCHES, message, "write * for which"
