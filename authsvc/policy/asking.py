"""A question in kubectl's words, as a request: ``get pods/log web-1 -n team-a``.

Used by ``explain``, ``who-can`` and policy tests. Resources are named as rows
name them: ``resource[.group][/subresource]``, or a path.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Final, NoReturn

from authsvc.interfaces import Attributes, Requirement, UserInfo
from authsvc.policy import conditions
from authsvc.policy.cells import SERVICE_ACCOUNT_USER
from authsvc.policy.escapes import CellError

_ACCOUNT: Final = SERVICE_ACCOUNT_USER.removeprefix("user:")


class QuestionError(ValueError):
    """A question that cannot be understood; the message says why."""


def asker(
    username: str,
    groups: Iterable[str] = (),
    uid: str = "",
    extra: Mapping[str, tuple[str, ...]] | None = None,
) -> UserInfo:
    """Return a user with the groups that the API server adds to their own.

    Those are ``system:authenticated``, or ``system:unauthenticated`` for
    ``system:anonymous``, and a service account's. Somebody without a name gets
    none: that stands for the members of the groups.

    Raises:
        QuestionError: a ``serviceaccount:`` without namespace or name.
    """
    every = [*groups]
    if username.startswith("serviceaccount:"):
        account = username.removeprefix("serviceaccount:")
        if account.count(":") != 1 or not all(account.partition(":")):
            raise QuestionError(f"must be serviceaccount:NAMESPACE:NAME, not {username!r}")
        username = _ACCOUNT + account
    if username.startswith(_ACCOUNT):
        namespace = username.removeprefix(_ACCOUNT).partition(":")[0]
        every += ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
    if username == "system:anonymous":
        every.append("system:unauthenticated")
    elif username:
        every.append("system:authenticated")
    return UserInfo(username, uid, tuple(dict.fromkeys(every)), extra or {})


def question(text: str, user: UserInfo) -> Attributes:
    """Read a whole question, options and all.

    Raises:
        QuestionError: it cannot be understood.
    """
    try:
        split = shlex.split(text)
    except ValueError:
        raise QuestionError("has a quote or a backslash that nothing follows") from None
    words = _PARSER.parse_args(split)
    return ask(
        user,
        words.verb,
        words.what,
        words.name,
        namespace=words.namespace,
        fields=words.field_selector,
        labels=words.selector,
    )


def ask(
    user: UserInfo,
    verb: str,
    what: str,
    name: str = "",
    *,
    namespace: str = "",
    fields: str = "",
    labels: str = "",
) -> Attributes:
    """Make a request of its parts; an empty namespace is all of them, or cluster-scoped.

    Raises:
        QuestionError: a resource or a selector that cannot be understood.
    """
    if what.startswith("/"):
        if name or namespace or fields or labels:
            raise QuestionError("a path has no name, namespace or selector")
        return Attributes(user, verb, False, path=what)
    main, slash, subresource = what.partition("/")
    resource, dot, group = main.partition(".")
    if not resource or (dot and not group) or (slash and not subresource):
        raise QuestionError(f"not resource[.group][/subresource] or /path: {what!r}")
    field_selector = _selector("field", fields)
    for key, operator, values in field_selector:
        if key == "metadata.name" and operator == "In" and not name:
            name = values[0]  # as the API server does for list and watch
    return Attributes(
        *(user, verb, True, namespace, "" if group == "core" else group, "*"),
        *(resource, subresource, name, "", field_selector, _selector("label", labels)),
    )


def show(attributes: Attributes) -> str:
    """Return a request as its question, without who asks."""
    if not attributes.resource_request:
        return f"{attributes.verb} {attributes.path}"
    words = [attributes.verb, show_resource(attributes)]
    if attributes.name:
        words.append(attributes.name)
    if attributes.namespace:
        words += ["-n", attributes.namespace]
    for option, selector in (
        ("--field-selector", attributes.field_selector),
        ("-l", attributes.label_selector),
    ):
        if selector:
            words += [option, shlex.quote(",".join(_show_requirement(each) for each in selector))]
    return " ".join(words)


def show_resource(attributes: Attributes) -> str:
    """Return ``resource[.group][/subresource]``."""
    group = f".{attributes.api_group}" if attributes.api_group else ""
    sub = f"/{attributes.subresource}" if attributes.subresource else ""
    return f"{attributes.resource}{group}{sub}"


def show_user(user: UserInfo) -> str:
    """Return who asks, without the groups that everybody has."""
    usual = {"system:authenticated", "system:unauthenticated", "system:serviceaccounts"}
    groups = [group for group in user.groups if group not in usual]
    named = [f"user:{user.username}"] if user.username else []
    return ", ".join([*named, *(f"group:{group}" for group in groups)])


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise QuestionError(_in_plain_words(message))


_SAID: Final = (
    (r"the following arguments are required: (.*)", r"lacks \1: a question is VERB WHAT [NAME]"),
    (r"unrecognized arguments: (.*)", r"has more than VERB WHAT [NAME] and options: \1"),
    (r"argument (-A).*: not allowed with .*", "has both -n and -A"),
    (r"argument (-n).*: not allowed with .*", "has both -n and -A"),
    (r"argument .*-A.*: ignored explicit argument .*", "has a value for -A, which takes none"),
    (r"argument (?:-./)?(\S+): expected one argument", r"has no value for \1"),
)
"""What argparse says, and what is meant."""


def _in_plain_words(message: str) -> str:
    for pattern, meant in _SAID:
        if found := re.fullmatch(pattern, message):
            return found.expand(meant).replace("lacks verb, what", "is empty")
    return message


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("verb")
    parser.add_argument("what")
    parser.add_argument("name", nargs="?", default="")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("-n", "--namespace", default="")
    place.add_argument("-A", "--all-namespaces", action="store_true")
    parser.add_argument("--field-selector", default="")
    parser.add_argument("-l", "--selector", default="")
    return parser


_PARSER: Final = _parser()


def _selector(source: str, text: str) -> tuple[Requirement, ...]:
    """Read a selector as kubectl takes it: terms as those of the cell ``when``, with commas."""
    if not text:
        return ()
    terms = _split_outside_brackets(text)
    try:
        parsed = [conditions.parse_when(f"{source}:{term.strip()}") for term in terms]
    except CellError as error:
        raise QuestionError(f"{source} selector {error}") from None
    return tuple(_requirement(when[0][0]) for when in parsed)


def _requirement(condition: conditions.Condition) -> Requirement:
    if condition.values is None:
        return Requirement(condition.key, "DoesNotExist" if condition.negated else "Exists")
    values = tuple(sorted(condition.values))
    return Requirement(condition.key, "NotIn" if condition.negated else "In", values)


def _split_outside_brackets(text: str) -> list[str]:
    terms, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            terms.append("")
        else:
            terms[-1] += character
    return terms


def _show_requirement(requirement: Requirement) -> str:
    key, operator, values = requirement
    if operator in {"Exists", "DoesNotExist"}:
        return key if operator == "Exists" else f"!{key}"
    if len(values) == 1:
        return f"{key}{'=' if operator == 'In' else '!='}{values[0]}"
    return f"{key} {operator.lower()} ({','.join(values)})"
