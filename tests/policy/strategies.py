"""Random policies and requests, made so that they meet often: small alphabets, odd names.

Strategies are made once, here: making them anew for each draw takes most of a trial.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from authsvc.interfaces import Attributes, Requirement, UserInfo
from authsvc.policy import lines
from authsvc.policy.escapes import escape

NOW = 1_795_467_600.0
"""2026-11-23T21:00:00Z"""

NAMES = (
    *("a", "a", "b", "b", "ab", "a-b", "aab"),
    *("a*b", "[ab]", "a\\b", "a|b", "?", "*", 'x,"y"', " é#", "ba "),
)
NAMESPACES = ("", "a", "b", "ab", "abc", "prod", "prod-a", "*", "[ab]", "a\nb")
VALUES = ("a", "b", "c d")
KEYS = st.sampled_from(("team", "spec.nodeName"))
ROLES = 6


def _joined(option: st.SearchStrategy[str], most: int, by: str = "|") -> st.SearchStrategy[str]:
    return st.lists(option, min_size=1, max_size=most).map(by.join)


def _cells(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Cells of names and globs, with alternatives."""
    pieces = ("a", "b", "*", "?", "[ab]", "[!a]", "[a-c]", "\\*", "\\[", "-", "c")
    glob = _joined(st.sampled_from(pieces), 4, "")
    literal = st.sampled_from([escape(name) for name in names if name and "\n" not in name])
    options = _joined(st.one_of(literal, glob, glob), 3)
    return st.one_of(st.just("*"), st.just("?*|*a*"), st.just("*"), options)


WHERE, WHICH = _cells(NAMESPACES), _cells(NAMES)
RESOURCE = st.builds(
    "{}{}{}".format,
    st.sampled_from(("pods", "pods", "deployments", "*", "*")),
    st.sampled_from(("", "", "", ".apps", ".core", ".a.io", ".*")),
    st.sampled_from(("", "", "", "/scale", "/log", "/*", "/a.io/x")),
)
PATH = st.sampled_from(("/*", "/a*", "/a/?", "/[ab]", "/a", "/", "/*b", "/a/*", "//*"))
MAY = st.sampled_from(("*", "*", "get", "get|list", "impersonate|list|\\*"))
EFFECT = st.sampled_from(("allow", "allow", "deny"))

SUBJECT = st.one_of(
    st.sampled_from(("user:*", "user:a", "group:a", "group:b", "serviceaccount:a:b")),
    st.sampled_from([f"user:{escape(name)}" for name in NAMES]),
    st.sampled_from([f"group:{escape(name)}" for name in NAMES]),
)
ROLE = st.sampled_from([f"role:{number}" for number in range(ROLES)])

_TERMS = st.sampled_from(
    ("team=a", "team!=a", "team in (a,b)", "team notin (a,c\\ d)", "spec.nodeName=b")
)
_EXTRA = st.one_of(_TERMS.map("extra:{}".format), st.sampled_from(("extra:team", "extra:!team")))
_SELECTOR = st.one_of(
    st.builds("{}:{}".format, st.sampled_from(("label", "label", "field")), _TERMS),
    st.sampled_from(("label:team", "label:!team")),
)
_NONE = st.just("")
WHEN_OF_PATH = st.one_of(_NONE, _NONE, _NONE, _joined(_joined(_EXTRA, 2, ";"), 2))
WHEN = st.one_of(
    _NONE, _NONE, _NONE, _joined(_joined(st.one_of(_SELECTOR, _SELECTOR, _EXTRA), 2, ";"), 2)
)


def _rule(who: str, where: str, what: str, which: str, may: str, effect: str, when: str) -> str:
    row = ["p", who, where, what, which, may, effect]
    return lines.join_row([*row, when] if when else row)


def _rules(who: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """``p`` rows."""
    some, every = _joined(who, 2), st.just("*")
    resource = st.builds(_rule, some, WHERE, _joined(RESOURCE, 3), WHICH, MAY, EFFECT, WHEN)
    path = st.builds(_rule, some, every, _joined(PATH, 3), every, MAY, EFFECT, WHEN_OF_PATH)
    return st.one_of(resource, resource, resource, resource, path)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


TIME = st.sampled_from(("", "", "", *(_time(NOW + delta) for delta in (-3600, -1, 0, 1, 3600))))


def _grant(who: str | int, role: int, where: str, since: str, until: str) -> str:
    # A role is only given to those of a lower number, so there is no cycle.
    holder = who if isinstance(who, str) else f"role:{who}" if who < role else "user:a"
    if since and until and since >= until:
        since = ""
    return lines.join_row(["g", holder, f"role:{role}", where, since, until])


GRANT = st.builds(
    _grant,
    st.one_of(SUBJECT, st.integers(0, ROLES - 1)),
    st.integers(0, ROLES - 1),
    WHERE,
    TIME,
    TIME,
)
RULE_OF_ROLE = _rules(ROLE)
ROW = st.one_of(_rules(SUBJECT), RULE_OF_ROLE, RULE_OF_ROLE, GRANT, GRANT)
DEFINITIONS = st.tuples(*(_rules(st.just(f"role:{number}")) for number in range(ROLES)))

_POLICY = st.builds(
    lambda rows, definitions: "\n".join((*rows, *definitions)) + "\n",
    st.lists(ROW, min_size=12, max_size=30),
    DEFINITIONS,
)

SELECTOR = st.lists(
    st.builds(
        Requirement,
        KEYS,
        st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist")),
        st.lists(st.sampled_from(VALUES), max_size=2).map(tuple),
    ),
    max_size=2,
).map(tuple)
USER = st.builds(
    UserInfo,
    st.sampled_from((*"aaabbb", *NAMES, "system:serviceaccount:a:b", "role:0", "group:a", "")),
    st.just(""),
    st.lists(st.sampled_from((*"ab", *NAMES, "role:0", "")), max_size=5).map(tuple),
    st.dictionaries(KEYS, st.lists(st.sampled_from(VALUES), max_size=2).map(tuple), max_size=1),
)
VERB = st.sampled_from(("get", "get", "list", "*", "impersonate:user-info", ""))

AIMED = Attributes(
    UserInfo("a", "", ("a", "b"), {"team": ("a",)}),
    *("get", True, "a", "", "v1", "pods", "", "a", ""),
    (Requirement("spec.nodeName", "In", ("b",)),),
    (Requirement("team", "In", ("a",)),),
)
"""What many rows are about; most requests differ from it in a field or two."""

_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "user": USER,
    "verb": VERB,
    "namespace": st.sampled_from(NAMESPACES),
    "api_group": st.sampled_from(("", "", "", "apps", "core", "a.io", "*")),
    "api_version": st.sampled_from(("v2", "*")),
    "resource": st.sampled_from(("pods", "pods", "pods", "pods", "deployments", "*", "")),
    "subresource": st.sampled_from(("", "", "", "", "scale", "log", "*", "a.io/x")),
    "name": st.sampled_from(("", *NAMES)),
    "field_selector": SELECTOR,
    "label_selector": SELECTOR,
}
_RESOURCE_REQUEST = st.fixed_dictionaries({}, optional=_FIELDS).map(
    lambda fields: AIMED._replace(**fields)
)
_PATH_REQUEST = st.builds(
    lambda user, verb, path: Attributes(user, verb, False, path=path),
    USER,
    VERB,
    st.sampled_from(("/", "/a", "/a/b", "/ab", "//a", "/a/", "*", "", "pods")),
)
_REQUEST = st.one_of(*[_RESOURCE_REQUEST] * 5, _PATH_REQUEST)


def policies() -> st.SearchStrategy[str]:
    """Return policies' texts, in which every role is defined."""
    return _POLICY


def requests() -> st.SearchStrategy[Attributes]:
    """Return requests for resources and paths."""
    return _REQUEST
