"""Random policies and requests, made so that they meet often: small alphabets, odd names."""

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
    "a",
    "b",
    "ab",
    "a-b",
    "aab",
    "a*b",
    "[ab]",
    "a\\b",
    "a|b",
    "?",
    "*",
    'x,"y"',
    " é#",
    "ba ",
)
NAMESPACES = ("", "a", "b", "ab", "abc", "prod", "prod-a", "*", "[ab]", "a\nb")
RESOURCES = ("pods", "pods", "pods", "pods", "deployments", "*", "")
GROUPS = ("", "", "", "apps", "core", "a.io", "*")
SUBRESOURCES = ("", "", "", "", "scale", "log", "*", "a.io/x")
VERBS = ("get", "get", "list", "*", "impersonate:user-info", "")
PATHS = ("/", "/a", "/a/b", "/ab", "//a", "/a/", "*", "", "pods")
KEYS = ("team", "spec.nodeName")
VALUES = ("a", "b", "c d")
ROLES = 6


def cells_of(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    """Cells of names and globs, with alternatives."""
    glob = st.lists(
        st.sampled_from(("a", "b", "*", "?", "[ab]", "[!a]", "[a-c]", "\\*", "\\[", "-", "c")),
        min_size=1,
        max_size=4,
    ).map("".join)
    literal = st.sampled_from([name for name in names if name and "\n" not in name]).map(escape)
    options = st.lists(st.one_of(literal, glob, glob), min_size=1, max_size=3).map("|".join)
    return st.one_of(st.just("*"), st.just("?*|*a*"), st.just("*"), options)


@st.composite
def resources(draw: st.DrawFn) -> str:
    """One resource in kubectl's notation."""
    resource = draw(st.sampled_from(("pods", "pods", "deployments", "*", "*")))
    group = draw(st.sampled_from(("", "", "", ".apps", ".core", ".a.io", ".*")))
    subresource = draw(st.sampled_from(("", "", "", "/scale", "/log", "/*", "/a.io/x")))
    return f"{resource}{group}{subresource}"


def subject() -> st.SearchStrategy[str]:
    """A user, group or service account that requests are made by."""
    return st.one_of(
        st.sampled_from(("user:*", "user:a", "group:a", "group:b", "serviceaccount:a:b")),
        st.sampled_from(NAMES).map(lambda name: f"user:{escape(name)}"),
        st.sampled_from(NAMES).map(lambda name: f"group:{escape(name)}"),
    )


def role() -> st.SearchStrategy[str]:
    """One of a few roles, whose names are numbered."""
    return st.integers(0, ROLES - 1).map(lambda number: f"role:{number}")


@st.composite
def conditions(draw: st.DrawFn, *, path: bool) -> str:
    """A cell ``when``."""
    condition = st.builds(
        lambda source, term: f"{source}:{term}",
        st.just("extra") if path else st.sampled_from(("label", "label", "field", "extra")),
        st.sampled_from(
            ("team=a", "team!=a", "team in (a,b)", "team notin (a,c\\ d)", "spec.nodeName=b")
        ),
    )
    bare = st.sampled_from(
        ("extra:team", "extra:!team", *(() if path else ("label:team", "label:!team")))
    )
    both = st.lists(st.one_of(condition, bare), min_size=1, max_size=2).map(";".join)
    some = st.lists(both, min_size=1, max_size=2).map("|".join)
    return draw(st.one_of(st.just(""), st.just(""), st.just(""), some))


@st.composite
def rules(draw: st.DrawFn, who: st.SearchStrategy[str]) -> str:
    """A ``p`` row."""
    path = draw(st.integers(0, 4)) == 0
    if path:
        globs = ("/*", "/a*", "/a/?", "/[ab]", "/a", "/", "/*b", "/a/*", "//*")
        what = draw(st.lists(st.sampled_from(globs), min_size=1, max_size=3).map("|".join))
        where = which = "*"
    else:
        what = draw(st.lists(resources(), min_size=1, max_size=3).map("|".join))
        where, which = draw(cells_of(NAMESPACES)), draw(cells_of(NAMES))
    row = [
        "p",
        draw(st.lists(who, min_size=1, max_size=2).map("|".join)),
        where,
        what,
        which,
        draw(st.sampled_from(("*", "*", "get", "get|list", "impersonate|list|\\*"))),
        draw(st.sampled_from(("allow", "allow", "allow", "allow", "deny"))),
    ]
    if when := draw(conditions(path=path)):
        row.append(when)
    return lines.join_row(row)


def times() -> st.SearchStrategy[str]:
    """A time before, at or after NOW, or none."""
    return st.sampled_from(("", "", *(_time(NOW + delta) for delta in (-3600, -1, 0, 1, 3600))))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@st.composite
def grants(draw: st.DrawFn) -> str:
    """A ``g`` row. A role is only given to those of a lower number, so there is no cycle."""
    given = draw(st.integers(0, ROLES - 1))
    holder = draw(st.one_of(subject(), st.integers(0, given).map(lambda n: f"role:{n}")))
    if holder == f"role:{given}":
        holder = "user:a"
    since, until = draw(times()), draw(times())
    if since and until and since >= until:
        since = ""
    return lines.join_row(["g", holder, f"role:{given}", draw(cells_of(NAMESPACES)), since, until])


@st.composite
def policies(draw: st.DrawFn) -> str:
    """A policy's text, in which every role is defined."""
    rows = draw(
        st.lists(
            st.one_of(rules(subject()), rules(role()), rules(role()), grants(), grants()),
            min_size=12,
            max_size=30,
        )
    )
    rows += [draw(rules(st.just(f"role:{number}"))) for number in range(ROLES)]
    return "\n".join(rows) + "\n"


def requirements() -> st.SearchStrategy[tuple[Requirement, ...]]:
    """A selector."""
    values = st.lists(st.sampled_from(VALUES), max_size=2).map(tuple)
    operator = st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist"))
    one = st.builds(Requirement, st.sampled_from(KEYS), operator, values)
    return st.lists(one, max_size=2).map(tuple)


def users() -> st.SearchStrategy[UserInfo]:
    """Who asks."""
    names = st.sampled_from(
        (*"aaabbb", *NAMES, "system:serviceaccount:a:b", "role:0", "group:a", "")
    )
    extra = st.dictionaries(
        st.sampled_from(KEYS), st.lists(st.sampled_from(VALUES), max_size=2).map(tuple), max_size=1
    )
    groups = st.lists(st.sampled_from((*"ab", *NAMES, "role:0", "")), max_size=5).map(tuple)
    return st.builds(UserInfo, names, st.just(""), groups, extra)


AIMED = Attributes(
    UserInfo("a", "", ("a", "b"), {"team": ("a",)}),
    *("get", True, "a", "", "v1", "pods", "", "a", ""),
    (Requirement("spec.nodeName", "In", ("b",)),),
    (Requirement("team", "In", ("a",)),),
)
"""What many rows are about; most requests differ from it in a field or two."""


@st.composite
def requests(draw: st.DrawFn) -> Attributes:
    """A request for a resource or a path."""
    if draw(st.integers(0, 5)) == 0:
        path = draw(st.sampled_from(PATHS))
        return Attributes(draw(users()), draw(st.sampled_from(VERBS)), False, path=path)
    fields: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
        {},
        optional={
            "user": users(),
            "verb": st.sampled_from(VERBS),
            "namespace": st.sampled_from(NAMESPACES),
            "api_group": st.sampled_from(GROUPS),
            "api_version": st.sampled_from(("v2", "*")),
            "resource": st.sampled_from(RESOURCES),
            "subresource": st.sampled_from(SUBRESOURCES),
            "name": st.sampled_from(("", *NAMES)),
            "field_selector": requirements(),
            "label_selector": requirements(),
        },
    )
    return AIMED._replace(**draw(fields))
