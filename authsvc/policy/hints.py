"""What was perhaps meant by a question that is about nothing: for a line beside the answer.

Nothing is decided here: a name that nobody knows may still be a name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from authsvc.interfaces import Attributes
from authsvc.policy.asking import show_resource
from authsvc.policy.cells import (
    EVERY_USER,
    PREFIXES,
    SERVICE_ACCOUNT_USER,
    Paths,
    Resource,
    show_subject,
)
from authsvc.policy.resources import HTTP_VERBS, Catalogue, known, name_of, split_name
from authsvc.policy.rows import Rows

_FORMS = "user:NAME, group:NAME, serviceaccount:NAMESPACE:NAME or role:NAME"


class Words:
    """The resources and verbs that Kubernetes has, and those that the rows of a policy name."""

    def __init__(self, rows: Rows) -> None:
        self._shipped = Catalogue.shipped()
        self._named = frozenset(_named(rows))
        self._verbs, self._verbs_of_paths = (
            frozenset(
                verb
                for action in rows.rules.actions
                if isinstance(action.target, Paths) is of_paths
                for verb in action.verbs or ()
            )
            for of_paths in (False, True)
        )
        named = (known(name_of(*one), True, ()) for one in self._named)
        self._all = Catalogue((*self._shipped.known.values(), *named), complete=False)

    def hint(self, request: Attributes) -> str:
        """Return a hint where a request is for what nobody is ever asked for; or ""."""
        if not request.resource_request:
            return self._verb_of_path(request)
        return self._swapped(request) or self._resource(request) or self._verb(request)

    def _resource(self, request: Attributes) -> str:
        asked = (request.resource, request.api_group, request.subresource)
        if asked in self._named or not self._shipped.judges(request.api_group):
            return ""
        if self._shipped.matching(Resource(*asked)):
            return ""
        meant = self._all.suggest(*asked)
        if not meant:
            return ""
        said = f"no API has {show_resource(request)}"
        if request.subresource and "/" not in meant:
            meant = f"{meant} {request.subresource}"
            said += ", and what follows a slash is a subresource"
        return said + _did_you_mean([meant])

    def _verb(self, request: Attributes) -> str:
        """Hint at a verb that nothing has; custom resources may have some of their own."""
        verb = request.verb
        if verb in self._shipped.verbs | self._verbs or verb.startswith("impersonate"):
            return ""
        said = f"no verb is known as {verb}"
        if near := get_close_matches(verb.lower(), self._shipped.verbs, 1, 0.75):
            return said + _did_you_mean(near)
        asked = Resource(request.resource, request.api_group, request.subresource)
        has = {verb for one in self._shipped.matching(asked) for verb in one.verbs}
        return f"{said}; {show_resource(request)} has {', '.join(sorted(has))}" if has else ""

    def _swapped(self, request: Attributes) -> str:
        """Hint at ``secrets delete``."""
        verb, what = request.resource, request.verb
        if verb not in self._shipped.verbs or what in self._shipped.verbs | self._verbs:
            return ""
        meant = self._all.suggest(*split_name(what))
        return f"no verb is known as {what}{_did_you_mean([f'{verb} {meant}'])}" if meant else ""

    def _verb_of_path(self, request: Attributes) -> str:
        verb = request.verb
        if verb in HTTP_VERBS | self._verbs_of_paths:
            return ""
        near = ["get"] if verb in {"list", "watch"} else get_close_matches(verb, HTTP_VERBS, 1)
        return f"a path is never asked for with the verb {verb}{_did_you_mean(near)}"


def _named(rows: Rows) -> Iterator[tuple[str, str, str]]:
    for action in rows.rules.actions:
        for target in () if isinstance(action.target, Paths) else action.target:
            match target:
                case Resource(str(resource), str(group), str(subresource)):
                    yield resource, group, subresource


def no_subject(text: str, holders: Collection[str]) -> str:
    """Say that a text is no subject, and which one of a policy's (in canonical form) it may be."""
    return f"{text!r} is not {_FORMS}{_did_you_mean(_prefixed(text, holders))}"


def _prefixed(text: str, holders: Collection[str]) -> list[str]:
    """Return the subjects that lack only their prefix, or have a wrong one."""
    if not text:
        return []
    account = SERVICE_ACCOUNT_USER.removeprefix("user:")
    if text.startswith(account):
        return ["serviceaccount:" + text.removeprefix(account)]
    shown = [show_subject(holder) for holder in holders if holder != EVERY_USER]
    if same := [subject for subject in shown if subject.partition(":")[2] == text]:
        return same
    prefix, colon, name = text.partition(":")
    if not colon:
        return [f"user:{text}"]
    near = get_close_matches(prefix.lower(), PREFIXES, 1)
    return [f"{near[0]}:{name}"] if near and name and near[0] != prefix else []


def no_row(subject: str, holders: Collection[str]) -> str:
    """Say that no row is for a subject (as people write it), and which one is nearest."""
    near = get_close_matches(subject, [show_subject(holder) for holder in holders], 1, 0.8)
    return f"no row is for {subject}{_did_you_mean(near)}"


def no_name(option: str, name: str, holders: Collection[str]) -> str:
    """Say where a name that ``option`` takes is a whole subject of the policy; or "".

    Not where a row is for somebody who is called so: ``user:user:alice``.
    """
    kind = {"--as": "user", "--as-group": "group"}[option]
    if name.startswith(f"{kind}:"):
        if any(holder.startswith(f"{kind}:{kind}:") for holder in holders):
            return ""
    elif name not in holders or f"{kind}:{name}" in holders:
        return ""
    prefix, _, rest = name.partition(":")
    meant = {"user": f"--as {rest}", "group": f"--as-group {rest}"}.get(prefix, f"what-can {name}")
    return f"{option} takes a name, and {name} is a subject{_did_you_mean([meant])}"


def _did_you_mean(meant: list[str]) -> str:
    return f"; did you mean {' or '.join(meant)}?" if meant else ""
