"""What every evaluator of the policy language must do: CASES 28 to 42, and then some.

Subclass it and give the fixture; pytest runs each test on your authorizer::

    class TestMine(AuthorizerContract):
        @pytest.fixture
        def authorizer_of(self):
            return lambda text, now: MyAuthorizer(policy.read_text({"policy.csv": text}), now)
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import pytest

from authsvc.interfaces import Attributes, Authorizer, Effect, Requirement, UserInfo

NOW = datetime.fromisoformat("2026-11-23T21:00:00Z").timestamp()

AuthorizerOf = Callable[[str, float], Authorizer]

A, D, NONE = Effect.ALLOW, Effect.DENY, Effect.NO_OPINION


def ask(
    verb: str = "get",
    what: str = "pods",
    ns: str = "",
    name: str = "",
    *,
    user: str = "alice",
    groups: tuple[str, ...] = (),
    **more: tuple[Requirement, ...],
) -> Attributes:
    """A request in kubectl's words: ``ask("get", "deployments.apps/scale", "ns", "web")``."""
    who = UserInfo(user, "", groups)
    if what.startswith("/"):
        return Attributes(who, verb, False, path=what)
    main, _, subresource = what.partition("/")
    resource, _, group = main.partition(".")
    return Attributes(who, verb, True, ns, group, "v1", resource, subresource, name, **more)  # type: ignore[arg-type]  # the rest are selectors


def p(
    who: str, where: str, what: str, which: str = "*", may: str = "*", effect: str = "allow"
) -> str:
    """A rule, as a line."""
    return ", ".join(("p", who, where, what, which, may, effect)) + "\n"


VERDICTS: list[tuple[str, str, Attributes, Effect]] = [
    # 28, 29
    ("a group's rule", p("group:dev", "*", "pods"), ask(groups=("x", "dev")), A),
    ("a group's rule, not in it", p("group:dev", "*", "pods"), ask(groups=("x",)), NONE),
    ("nobody", p("user:*", "*", "*"), ask(user=""), NONE),
    ("groups without a name", p("group:dev", "*", "*"), ask(user="", groups=("dev",)), A),
    ("user:* without a name", p("user:*", "*", "*"), ask(user="", groups=("dev",)), NONE),
    ("user:*", p("user:*", "*", "*"), ask(user="system:anonymous"), A),
    ("an empty policy", "# authsvc: empty\n", ask(), NONE),
    # 30
    ("verb * and deletecollection", p("user:alice", "*", "pods"), ask("deletecollection"), A),
    ("verb * and one unheard of", p("user:alice", "*", "pods"), ask("frobnicate"), A),
    ("verb * and none", p("user:alice", "*", "pods"), ask(""), A),
    ("get is not list", p("user:alice", "*", "pods", "*", "get"), ask("list"), NONE),
    ("get is not GET", p("user:alice", "*", "pods", "*", "get"), ask("GET"), NONE),
    ("get is not none", p("user:alice", "*", "pods", "*", "get"), ask(""), NONE),
    ("get|list is list", p("user:alice", "*", "pods", "*", "get|list"), ask("list"), A),
    ("a request's verb *", p("user:alice", "*", "pods", "*", "get|list"), ask("*"), NONE),
    # 31
    ("ns1 in ns1", p("user:alice", "ns1", "pods"), ask(ns="ns1"), A),
    ("ns1 in ns2", p("user:alice", "ns1", "pods"), ask(ns="ns2"), NONE),
    ("ns1 for all namespaces", p("user:alice", "ns1", "pods"), ask("list"), NONE),
    ("ns1 for cluster-scoped", p("user:alice", "ns1", "nodes"), ask(what="nodes"), NONE),
    ("* in ns", p("user:alice", "*", "pods"), ask(ns="ns2"), A),
    ("* for all namespaces", p("user:alice", "*", "pods"), ask("list"), A),
    ("?* in ns", p("user:alice", "?*", "pods"), ask(ns="n"), A),
    ("?* for all namespaces", p("user:alice", "?*", "pods"), ask("list"), NONE),
    ("prod* in prod-eu", p("user:alice", "prod*", "pods"), ask(ns="prod-eu"), A),
    ("prod* in prod", p("user:alice", "prod*", "pods"), ask(ns="prod"), A),
    ("prod* in pro", p("user:alice", "prod*", "pods"), ask(ns="pro"), NONE),
    ("*-eu|b in prod-eu", p("user:alice", "b|*-eu", "pods"), ask(ns="prod-eu"), A),
    ("*-eu|b in b", p("user:alice", "b|*-eu", "pods"), ask(ns="b"), A),
    ("n[0-4] in n4", p("user:alice", "n[0-4]", "pods"), ask(ns="n4"), A),
    ("n[!0-4] in n4", p("user:alice", "n[!0-4]", "pods"), ask(ns="n4"), NONE),
    ("a namespace with a line break", p("user:alice", "a*", "pods"), ask(ns="a\nb"), A),
    ("a namespace that ends in one", p("user:alice", "a", "pods"), ask(ns="a\n"), NONE),
    ("a request's namespace *", p("user:alice", "ns1", "pods"), ask(ns="*"), NONE),
    # 32
    ("pods is not pods/status", p("user:alice", "*", "pods"), ask(what="pods/status"), NONE),
    ("pods/exec", p("user:alice", "*", "pods/exec"), ask(what="pods/exec"), A),
    ("pods/exec is not pods", p("user:alice", "*", "pods/exec"), ask(), NONE),
    ("*/scale", p("user:alice", "*", "*/scale"), ask(what="deployments.apps/scale"), A),
    ("*/scale is not pods", p("user:alice", "*", "*/scale"), ask(), NONE),
    ("*/scale is not autoscale", p("user:alice", "*", "*/scale"), ask(what="x/autoscale"), NONE),
    ("* and pods/log", p("user:alice", "*", "*"), ask(what="pods/log"), A),
    ("pods is core", p("user:alice", "*", "pods"), ask(what="pods.metrics.k8s.io"), NONE),
    ("pods.core is core", p("user:alice", "*", "pods.core"), ask(), A),
    ("a group named core", p("user:alice", "*", "pods.core"), ask(what="pods.core"), NONE),
    ("*.apps", p("user:alice", "*", "*.apps"), ask(what="deployments.apps/scale"), A),
    ("*.apps is not core", p("user:alice", "*", "*.apps"), ask(), NONE),
    ("*.core", p("user:alice", "*", "*.core"), ask(what="pods/log"), A),
    ("*.core is not apps", p("user:alice", "*", "*.core"), ask(what="deployments.apps"), NONE),
    ("pods.* and core", p("user:alice", "*", "pods.*"), ask(), A),
    ("pods.* and metrics", p("user:alice", "*", "pods.*"), ask(what="pods.metrics.k8s.io"), A),
    ("pods.* is not pods/log", p("user:alice", "*", "pods.*"), ask(what="pods/log"), NONE),
    ("pods/*", p("user:alice", "*", "pods/*"), ask(what="pods/log"), A),
    ("pods/* is not pods", p("user:alice", "*", "pods/*"), ask(), NONE),
    ("*.apps/scale", p("user:alice", "*", "*.apps/scale"), ask(what="x.apps/scale"), A),
    ("*.apps/scale in core", p("user:alice", "*", "*.apps/scale"), ask(what="x/scale"), NONE),
    ("*.*", p("user:alice", "*", "*.*"), ask(what="deployments.apps/scale"), A),
    ("a request's resource *", p("user:alice", "*", "pods"), ask(what="*"), NONE),
    ("* and a request's *", p("user:alice", "*", "*"), ask(what="*.*/*"), A),
    ("*.apps and a request's *", p("user:alice", "*", "*.apps"), ask(what="*.apps"), A),
    ("pods/* and a request's *", p("user:alice", "*", "pods"), ask(what="pods/*"), NONE),
    ("an extra's key", p("user:alice", "*", "e.g/a.io/b"), ask(what="e.g/a.io/b"), A),
    # 33
    ("which a, get a", p("user:alice", "*", "pods", "a"), ask(name="a"), A),
    ("which a, get b", p("user:alice", "*", "pods", "a"), ask(name="b"), NONE),
    ("which a, without a name", p("user:alice", "*", "pods", "a"), ask(), NONE),
    ("which a, list", p("user:alice", "*", "pods", "a"), ask("list"), NONE),
    ("which a, list a", p("user:alice", "*", "pods", "a"), ask("list", name="a"), A),
    ("which a, name *", p("user:alice", "*", "pods", "a"), ask(name="*"), NONE),
    ("which *, name *", p("user:alice", "*", "pods", "*"), ask(name="*"), A),
    ("which \\*, name *", p("user:alice", "*", "pods", "\\*"), ask(name="*"), A),
    ("which \\*, name a", p("user:alice", "*", "pods", "\\*"), ask(name="a"), NONE),
    ("which \\*, name \\*", p("user:alice", "*", "pods", "\\*"), ask(name="\\*"), NONE),
    ("which [ab], name [ab]", p("user:alice", "*", "pods", "[ab]"), ask(name="[ab]"), NONE),
    ("which web-*", p("user:alice", "*", "pods", "web-*"), ask(name="web-1"), A),
    ("which a*b*c", p("user:alice", "*", "pods", "a*b*c"), ask(name="a-b-bb-c"), A),
    ("which ?*, without a name", p("user:alice", "*", "pods", "?*"), ask("list"), NONE),
    # 34
    ("/apis", p("user:alice", "*", "/apis"), ask(what="/apis"), A),
    ("/apis is not /apis/v1", p("user:alice", "*", "/apis"), ask(what="/apis/v1"), NONE),
    ("/apis/*", p("user:alice", "*", "/apis/*"), ask(what="/apis/apps/v1"), A),
    ("/apis/* is not /apis", p("user:alice", "*", "/apis/*"), ask(what="/apis"), NONE),
    ("/apis/* is not /api/v1", p("user:alice", "*", "/apis/*"), ask(what="/api/v1"), NONE),
    ("/livez|/metrics*", p("user:alice", "*", "/livez|/metrics*"), ask(what="/metrics/a"), A),
    ("* is never a path", p("user:alice", "*", "*"), ask(what="/apis"), NONE),
    ("/* is never a resource", p("user:alice", "*", "/*"), ask(), NONE),
    ("/* and //x", p("user:alice", "*", "/*"), ask(what="//x"), A),
    ("get a path", p("user:alice", "*", "/a", "*", "get"), ask(what="/a"), A),
    ("watch a path", p("user:alice", "*", "/a", "*", "get"), ask("watch", "/a"), NONE),
    # 35
    (
        "deny after allow",
        p("user:alice", "*", "*") + p("user:alice", "*", "*", effect="deny"),
        ask(),
        D,
    ),
    (
        "deny before allow",
        p("user:alice", "*", "*", effect="deny") + p("user:alice", "*", "*"),
        ask(),
        D,
    ),
    (
        "deny of a group over allow of the user",
        p("user:alice", "*", "*") + p("group:g", "prod*", "secrets", effect="deny"),
        ask(what="secrets", ns="prod", groups=("g",)),
        D,
    ),
    ("deny secrets is not about pods", p("user:alice", "*", "secrets", effect="deny"), ask(), NONE),
    (
        "deny over allow through roles",
        p("role:a", "*", "*")
        + p("role:c", "*", "secrets", effect="deny")
        + "g, user:alice, role:a, *\ng, user:alice, role:b, *\ng, role:b, role:c, *\n",
        ask(what="secrets"),
        D,
    ),
    (
        "deny of user:*",
        p("user:alice", "*", "*") + p("user:*", "*", "secrets", effect="deny"),
        ask(what="secrets"),
        D,
    ),
    # 36
    (
        "a service account",
        p("serviceaccount:ns:n", "*", "*"),
        ask(user="system:serviceaccount:ns:n"),
        A,
    ),
    (
        "another service account",
        p("serviceaccount:ns:n", "*", "*"),
        ask(user="system:serviceaccount:ns:n2"),
        NONE,
    ),
    ("a user named role:x", p("role:x", "*", "*"), ask(user="role:x", groups=("role:x",)), NONE),
    ("a user named group:x", p("group:x", "*", "*"), ask(user="group:x"), NONE),
    ("a user named user:x", p("user:x", "*", "*"), ask(user="user:x", groups=("x",)), NONE),
    ("a user named *", p("user:\\*", "*", "*"), ask(user="*"), A),
    ("user:\\* is not everybody", p("user:\\*", "*", "*"), ask(), NONE),
    ("a group named *", p("user:*", "*", "*"), ask(user="", groups=("*",)), NONE),
    ("an escaped group", p("group:dba\\|ops", "*", "*"), ask(groups=("dba|ops",)), A),
    ("group:dba|group:ops", p("group:dba|group:ops", "*", "*"), ask(groups=("ops",)), A),
    (
        "a quoted name",
        'p, "user:CN=judy,OU=""P""", *, *, *, *, allow\n',
        ask(user='CN=judy,OU="P"'),
        A,
    ),
    # 37
    (
        "impersonate a user",
        p("user:alice", "*", "users", "bob|carol", "impersonate"),
        ask("impersonate", "users", name="carol"),
        A,
    ),
    (
        "impersonate another",
        p("user:alice", "*", "users", "bob|carol", "impersonate"),
        ask("impersonate", "users", name="dave"),
        NONE,
    ),
    (
        "impersonate:user-info",
        p("user:alice", "*", "users", "*", "impersonate"),
        ask("impersonate:user-info", "users", name="bob"),
        NONE,
    ),
    (
        "impersonate-on",
        p("user:alice", "*", "users", "*", "impersonate"),
        ask("impersonate-on:user-info:list", "users", name="bob"),
        NONE,
    ),
    # 41
    ("a node without a rule", p("user:alice", "*", "*"), ask(user="system:node:n1"), NONE),
]

ROLE = p("role:r", "*", "pods")
GRANTS: list[tuple[str, str, Attributes, Effect]] = [
    ("in its namespace", "g, user:alice, role:r, ns\n", ask(ns="ns"), A),
    ("in another", "g, user:alice, role:r, ns\n", ask(ns="ns2"), NONE),
    ("for all namespaces", "g, user:alice, role:r, ns\n", ask("list"), NONE),
    ("everywhere, for all namespaces", "g, user:alice, role:r, *\n", ask("list"), A),
    ("in any namespace", "g, user:alice, role:r, ?*\n", ask("list"), NONE),
    ("by a glob", "g, user:alice, role:r, a|n*\n", ask(ns="ns"), A),
    ("to everybody", "g, user:*, role:r, *\n", ask(user="bob"), A),
    ("to one of two", "g, group:a|user:alice, role:r, *\n", ask(), A),
    ("to a user named as the role", "g, user:alice, role:r, *\n", ask(user="role:r"), NONE),
    (
        "through a role, both domains hold",
        "g, user:alice, role:q, prod*\ng, role:q, role:r, *-eu\n",
        ask(ns="prod-eu"),
        A,
    ),
    (
        "through a role, one domain does not",
        "g, user:alice, role:q, prod*\ng, role:q, role:r, *-us\n",
        ask(ns="prod-eu"),
        NONE,
    ),
    ("before", "g, user:alice, role:r, *, 2026-11-23T21:00:01Z\n", ask(), NONE),
    ("from now", "g, user:alice, role:r, *, 2026-11-23T21:00:00Z\n", ask(), A),
    ("until now", "g, user:alice, role:r, *, , 2026-11-23T21:00:00Z\n", ask(), NONE),
    ("until later", "g, user:alice, role:r, *, , 2026-11-23T23:00:01+02:00\n", ask(), A),
    (
        "an inherited role that ended",
        "g, user:alice, role:q, *\ng, role:q, role:r, *, , 2026-11-23T20:00:00Z\n",
        ask(),
        NONE,
    ),
    (
        "a second row that has not ended",
        "g, user:alice, role:r, *, , 2026-11-23T20:00:00Z\ng, user:alice, role:r, *\n",
        ask(),
        A,
    ),
    (
        "30 deep",
        "".join(f"g, role:{n}, role:{n + 1}, *\n" for n in range(30))
        + "g, role:30, role:r, *\ng, user:alice, role:0, *\n",
        ask(),
        A,
    ),
]

IN_A = Requirement("team", "In", ("a",))
IN_AB = Requirement("team", "In", ("a", "b"))
NOT_A = Requirement("team", "NotIn", ("a",))
NODE = Requirement("spec.nodeName", "In", ("n1",))
SELECTORS: list[tuple[str, str, tuple[Requirement, ...], Effect]] = [
    ("allow, label:team=a", "exact", (IN_A,), A),
    ("allow, label:team=a", "broader", (IN_AB,), NONE),
    ("allow, label:team=a", "no selector", (), NONE),
    ("allow, label:team=a", "of another key", (Requirement("x", "In", ("a",)),), NONE),
    ("allow, label:team=a", "two that meet", (IN_AB, Requirement("team", "NotIn", ("b",))), A),
    ("allow, label:team=a", "contradiction", (IN_A, NOT_A), NONE),
    ("allow, label:team=a", "exists", (Requirement("team", "Exists"),), NONE),
    ("allow, label:team=a", "in nothing", (Requirement("team", "In"),), NONE),
    ('allow, "label:team in (a,b)"', "narrower", (IN_A,), A),
    ('allow, "label:team in (a,b)"', "equal", (IN_AB,), A),
    ("allow, label:team!=a", "NotIn", (NOT_A,), A),
    ("allow, label:team!=a", "In another", (Requirement("team", "In", ("b",)),), A),
    ("allow, label:team!=a", "absent", (Requirement("team", "DoesNotExist"),), A),
    ("allow, label:team!=a", "no selector", (), NONE),
    ("allow, label:team", "Exists", (Requirement("team", "Exists"),), A),
    ("allow, label:team", "In", (IN_A,), A),
    ("allow, label:team", "NotIn", (NOT_A,), NONE),
    ("allow, label:!team", "DoesNotExist", (Requirement("team", "DoesNotExist"),), A),
    ("allow, label:!team", "NotIn", (NOT_A,), NONE),
    ("allow, label:team=a;label:x=y", "one of two", (IN_A,), NONE),
    ("allow, label:x=y|label:team=a", "one alternative", (IN_A,), A),
    ("deny, label:team=a", "exact", (IN_A,), D),
    ("deny, label:team=a", "broader does not walk round it", (), D),
    ("deny, label:team=a", "the rest is not denied", (NOT_A,), NONE),
    ("deny, label:team=a;label:x=y", "cannot meet one of two", (NOT_A,), NONE),
    ("deny, label:x=y|label:team=a", "can meet an alternative", (NOT_A,), D),
]


def _ids(table: list[tuple[str, str, Attributes, Effect]]) -> list[str]:
    return [name for name, *_ in table]


class AuthorizerContract:
    """Base of the suites; needs ``authorizer_of``: from a policy and a time, an authorizer."""

    @pytest.fixture
    def authorizer_of(self) -> AuthorizerOf:
        raise NotImplementedError

    @pytest.mark.parametrize(("name", "text", "asked", "effect"), VERDICTS, ids=_ids(VERDICTS))
    def test_a_rule_says_what_the_language_says(
        self, authorizer_of: AuthorizerOf, name: str, text: str, asked: Attributes, effect: Effect
    ) -> None:
        assert authorizer_of(text, NOW).authorize(asked).effect is effect, name

    @pytest.mark.parametrize(("name", "text", "asked", "effect"), GRANTS, ids=_ids(GRANTS))
    def test_a_role_is_given_somewhere_for_a_time(
        self, authorizer_of: AuthorizerOf, name: str, text: str, asked: Attributes, effect: Effect
    ) -> None:
        assert authorizer_of(ROLE + text, NOW).authorize(asked).effect is effect, name

    @pytest.mark.parametrize(("cells", "name", "selector", "effect"), SELECTORS)
    def test_a_condition_bounds_what_a_request_can_reach(
        self,
        authorizer_of: AuthorizerOf,
        cells: str,
        name: str,
        selector: tuple[Requirement, ...],
        effect: Effect,
    ) -> None:
        authorizer = authorizer_of(f"p, user:alice, *, pods, *, list, {cells}\n", NOW)

        decision = authorizer.authorize(ask("list", label_selector=selector))

        assert decision.effect is effect, name

    def test_a_field_condition_asks_the_field_selector(self, authorizer_of: AuthorizerOf) -> None:
        authorizer = authorizer_of(
            "p, user:alice, *, pods, *, list, allow, field:spec.nodeName=n1\n", NOW
        )

        assert authorizer.authorize(ask("list", field_selector=(NODE,))).effect is A
        assert authorizer.authorize(ask("list", label_selector=(NODE,))).effect is NONE

    @pytest.mark.parametrize(
        ("when", "extra", "effect"),
        [
            ("extra:example.com/team=blue", {"example.com/team": ("red", "blue")}, A),
            ("extra:example.com/team=blue", {"example.com/team": ("red",)}, NONE),
            ("extra:example.com/team=blue", {}, NONE),
            ('"extra:t in (a,b)"', {"t": ("b",)}, A),
            ("extra:t", {"t": ("b",)}, A),
            ("extra:t", {"t": ()}, NONE),
            ("extra:!t", {}, A),
            ("extra:t!=a", {"t": ("b", "a")}, NONE),
            ("extra:t!=a", {"t": ("b",)}, A),
            ("extra:t=a\\|b", {"t": ("a|b",)}, A),
        ],
    )
    def test_an_extra_condition_asks_the_user(
        self,
        authorizer_of: AuthorizerOf,
        when: str,
        extra: dict[str, tuple[str, ...]],
        effect: Effect,
    ) -> None:
        authorizer = authorizer_of(
            f"p, user:alice, *, pods, *, list, allow, {when}\n"
            f"p, user:bob, *, pods, *, list, deny, {when}\n",
            NOW,
        )

        for user, expected in (("alice", effect), ("bob", D if effect is A else NONE)):
            asked = ask("list")._replace(user=UserInfo(user, extra=extra))
            assert authorizer.authorize(asked).effect is expected

    def test_a_path_rule_can_ask_for_extra_values(self, authorizer_of: AuthorizerOf) -> None:
        authorizer = authorizer_of("p, user:alice, *, /x*, *, get, allow, extra:t=a\n", NOW)
        asked = ask(what="/xy")

        assert authorizer.authorize(asked).effect is NONE
        with_extra = asked._replace(user=UserInfo("alice", extra={"t": ("a",)}))
        assert authorizer.authorize(with_extra).effect is A

    def test_the_api_version_never_matters(self, authorizer_of: AuthorizerOf) -> None:
        authorizer = authorizer_of(p("user:alice", "*", "pods"), NOW)

        for version in ("", "v1", "v9beta1", "*"):
            assert authorizer.authorize(ask()._replace(api_version=version)).effect is A

    def test_a_role_is_not_given_to_a_path_by_a_namespace(
        self, authorizer_of: AuthorizerOf
    ) -> None:
        text = p("role:r", "*", "/healthz") + "g, group:{}, role:r, {}\n"

        for where, effect in (("*", A), ("ns", NONE), ("?*", NONE)):
            authorizer = authorizer_of(text.format("a", where), NOW)
            asked = ask(what="/healthz", groups=("a",))
            assert authorizer.authorize(asked).effect is effect
            assert authorizer.authorize(asked._replace(namespace="ns")).effect is effect

    def test_the_reason_names_the_row_and_the_path(self, authorizer_of: AuthorizerOf) -> None:
        authorizer = authorizer_of(
            p("role:viewer", "*", "pods")
            + p("group:ops", "*", "secrets", effect="deny")
            + p("serviceaccount:ns:n", "*", "nodes")
            + "g, group:team-a, role:editor, team-a\n"
            + "g, role:editor, role:viewer, *\n",
            NOW,
        )

        allowed = authorizer.authorize(ask(ns="team-a", groups=("x", "team-a")))
        denied = authorizer.authorize(ask(what="secrets", groups=("ops",)))
        account = authorizer.authorize(ask(what="nodes", user="system:serviceaccount:ns:n"))

        assert allowed.reason == (
            "allowed by policy.csv:1 via group:team-a → role:editor in team-a → role:viewer"
        )
        assert allowed.rules == ("policy.csv:1", "policy.csv:4", "policy.csv:5")
        assert denied.reason == "denied by policy.csv:2 via group:ops"
        assert denied.rules == ("policy.csv:2",)
        assert account.reason == "allowed by policy.csv:3 via serviceaccount:ns:n"

    def test_a_reason_is_one_line_below_1_kib_whatever_the_names(
        self, authorizer_of: AuthorizerOf
    ) -> None:
        group = "é\u2028" * 500
        role = "role:" + "ü" * 2000
        authorizer = authorizer_of(
            f"p, {role}, *, pods, *, get, allow\ng, group:{group}, {role}, *\n", NOW
        )

        reason = authorizer.authorize(ask(groups=(group,))).reason

        assert len(reason.encode()) < 1024
        assert reason.isprintable()
        assert reason.startswith("allowed by policy.csv:1 via group:é")

    def test_no_opinion_gives_no_rows(self, authorizer_of: AuthorizerOf) -> None:
        decision = authorizer_of(p("user:bob", "*", "*"), NOW).authorize(ask())

        assert decision.effect is NONE
        assert decision.rules == ()

    def test_odd_requests_are_answered(self, authorizer_of: AuthorizerOf) -> None:
        authorizer = authorizer_of(
            p("group:g", "a*b*c|x", "pods|*/log", "*z?|[a-c]*") + p("user:alice", "*", "/a/*x*"),
            NOW,
        )

        for text in ("", "\0", "\ud800", "*" * 10_000, "a" * 100_000, "../../etc", "\n"):
            for asked in (
                ask(text, text.replace("/", ""), text, text, user=text, groups=(text, "g")),
                ask(text, "/a/" + text),
            ):
                assert authorizer.authorize(asked).effect in {A, NONE}

    def test_many_threads_get_the_same_answer(self, authorizer_of: AuthorizerOf) -> None:
        authorizer = authorizer_of(
            p("user:alice", "ns", "pods") + ROLE + "g, user:bob, role:r, *\n", NOW
        )
        wrong: list[str] = []

        def work(user: str) -> None:
            for number in range(30):
                ns = "ns" if number % 2 else "other"
                expected = A if user == "bob" or ns == "ns" else NONE
                if authorizer.authorize(ask(ns=ns, user=user)).effect is not expected:
                    wrong.append(user)

        threads = [threading.Thread(target=work, args=(user,)) for user in ("alice", "bob") * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert not wrong
