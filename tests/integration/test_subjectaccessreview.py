"""SubjectAccessReviews on the wire: may they?

Each case has users of its own, so that one policy holds them all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from authsvc.authz.policy import PolicyAuthorizer
from authsvc.interfaces import Attributes, Effect, UserInfo
from authsvc.policy import compile_rows, read_text
from tests.integration import broken_authsvc
from tests.integration.access import ALLOWED, DENIED, NO_OPINION, spec, verdict
from tests.parts.authsvc_server import (
    AuthsvcServer,
    StartAuthsvc,
    access_review,
    running,
)

POLICY = """\
# who,                       where, what,                     which, may,   effect
p, group:team,               *,     pods,                     *,     *,     allow
p, user:any-verb,            *,     configmaps,               *,     *,     allow
p, user:getter,              *,     pods,                     *,     get,   allow
p, user:of-ns1,              ns1,   *,                        *,     *,     allow
p, user:of-everywhere,       *,     *,                        *,     *,     allow
p, user:of-namespaces,       ?*,    *,                        *,     *,     allow
p, user:of-pods,             *,     pods,                     *,     *,     allow
p, user:scaler,              *,     */scale,                  *,     *,     allow
p, user:of-apps,             *,     *.apps,                   *,     *,     allow
p, user:of-core,             *,     *.core,                   *,     *,     allow
p, user:of-all-pods,         *,     pods.*,                   *,     *,     allow
p, user:of-a,                *,     pods,                     a,     *,     allow
p, user:of-apis,             *,     /apis,                    *,     *,     allow
p, user:below-apis,          *,     /apis/*,                  *,     *,     allow
p, user:of-every-path,       *,     /*,                       *,     *,     allow
p, user:path-getter,         *,     /metrics,                 *,     get,   allow
p, user:allowed-then-denied, *,     *,                        *,     *,     allow
p, user:allowed-then-denied, *,     secrets,                  *,     *,     deny
p, user:denied-then-allowed, *,     secrets,                  *,     *,     deny
p, user:denied-then-allowed, *,     *,                        *,     *,     allow
p, user:only-denied,         *,     secrets,                  *,     *,     deny
p, role:cook,                *,     *,                        *,     *,     allow
g, role:chef,                role:cook,  *
g, user:chef,                role:chef,  *
p, user:chef,                *,     secrets,                  *,     *,     deny
p, serviceaccount:ns:n,      *,     pods,                     *,     *,     allow
p, role:x,                   *,     pods,                     *,     *,     allow
p, user:masquerade,          *,     pods,                     *,     *,     allow
p, user:impersonator,        *,     users,                    dave,  impersonate, allow
p, user:impersonator,        *,     groups,                   ops|qa, impersonate, allow
p, user:impersonator,        team,  serviceaccounts,          robot, impersonate, allow
p, user:impersonator,        *, userextras.authentication.k8s.io/scopes, view, impersonate, allow
p, user:impersonator,        *,     uids.authentication.k8s.io, 1234, impersonate, allow
p, role:depth30,             *,     pods,                     *,     *,     allow
g, user:deep,                role:depth1, *
"""
CHAIN = "".join(f"g, role:depth{n}, role:depth{n + 1}, *\n" for n in range(1, 30))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthsvcServer]:
    with running(
        tmp_path_factory.mktemp("authsvc"), policy={"cases.csv": POLICY, "chain.csv": CHAIN}
    ) as server:
        yield server


CASES: list[tuple[str, dict[str, Any], str]] = [
    # Groups, in either version's spelling
    ("a group", spec("u", "get", "pods", groups=["other", "team"]), ALLOWED),
    ("not in the group", spec("u", "get", "pods", groups=["teams"]), NO_OPINION),
    ("v1's field is not group", spec("u", "get", "pods", group=["team"]), NO_OPINION),
    # Nobody, and no policy
    ("nobody", spec("", "get", "pods"), NO_OPINION),
    ("groups alone", spec("", "get", "pods", groups=["team"]), ALLOWED),
    # Verbs
    ("verb * and deletecollection", spec("any-verb", "deletecollection", "configmaps"), ALLOWED),
    ("verb * and a custom verb", spec("any-verb", "frobnicate", "configmaps"), ALLOWED),
    ("get and list", spec("getter", "list", "pods"), NO_OPINION),
    ("get and GET", spec("getter", "GET", "pods"), NO_OPINION),
    ("get and *", spec("getter", "*", "pods"), NO_OPINION),
    # Namespaces
    ("ns1", spec("of-ns1", "get", "pods", "ns1"), ALLOWED),
    ("ns1 is not ns2", spec("of-ns1", "get", "pods", "ns2"), NO_OPINION),
    ("ns1 is not ns11", spec("of-ns1", "get", "pods", "ns11"), NO_OPINION),
    ("ns1 and cluster-scoped", spec("of-ns1", "get", "nodes", name="n"), NO_OPINION),
    ("ns1 and all namespaces", spec("of-ns1", "list", "pods"), NO_OPINION),
    ("* and ns2", spec("of-everywhere", "get", "pods", "ns2"), ALLOWED),
    ("* and cluster-scoped", spec("of-everywhere", "get", "nodes", name="n"), ALLOWED),
    ("* and all namespaces", spec("of-everywhere", "list", "pods"), ALLOWED),
    ("?* and ns2", spec("of-namespaces", "get", "pods", "ns2"), ALLOWED),
    ("?* and cluster-scoped", spec("of-namespaces", "get", "nodes", name="n"), NO_OPINION),
    # Resources, groups, subresources
    ("pods and pods/status", spec("of-pods", "get", "pods/status", "n", "p"), NO_OPINION),
    ("pods and pods/exec", spec("of-pods", "create", "pods/exec", "n", "p"), NO_OPINION),
    ("pods is core", spec("of-pods", "get", "pods.metrics.k8s.io", "n", "p"), NO_OPINION),
    ("*/scale and deployments", spec("scaler", "update", "deployments.apps/scale", "n"), ALLOWED),
    ("*/scale and gadgets", spec("scaler", "get", "gadgets.example.com/scale", "n"), ALLOWED),
    ("*/scale and pods", spec("scaler", "get", "pods", "n", "p"), NO_OPINION),
    ("*/scale and foo/autoscale", spec("scaler", "get", "foo/autoscale", "n"), NO_OPINION),
    ("* and pods/log", spec("of-everywhere", "get", "pods/log", "n", "p"), ALLOWED),
    ("*.apps and a subresource", spec("of-apps", "get", "deployments.apps/status"), ALLOWED),
    ("*.apps and core", spec("of-apps", "get", "pods", "n", "p"), NO_OPINION),
    ("*.apps and myapps", spec("of-apps", "get", "pods.myapps", "n", "p"), NO_OPINION),
    ("*.apps and apps.io", spec("of-apps", "get", "pods.apps.io", "n", "p"), NO_OPINION),
    ("*.core and a subresource", spec("of-core", "get", "pods/log", "n", "p"), ALLOWED),
    ("*.core and apps", spec("of-core", "get", "deployments.apps", "n"), NO_OPINION),
    ("*.core and a group core", spec("of-core", "get", "pods.core", "n"), NO_OPINION),
    ("pods.* and core", spec("of-all-pods", "get", "pods", "n", "p"), ALLOWED),
    ("pods.* and metrics", spec("of-all-pods", "get", "pods.metrics.k8s.io", "n"), ALLOWED),
    # Names
    ("a and get a", spec("of-a", "get", "pods", "n", "a"), ALLOWED),
    ("a and get b", spec("of-a", "get", "pods", "n", "b"), NO_OPINION),
    ("a and get without a name", spec("of-a", "get", "pods", "n"), NO_OPINION),
    ("a and list", spec("of-a", "list", "pods", "n"), NO_OPINION),
    ("a and create", spec("of-a", "create", "pods", "n"), NO_OPINION),
    ("a and list a", spec("of-a", "list", "pods", "n", "a"), ALLOWED),
    ("a and get *", spec("of-a", "get", "pods", "n", "*"), NO_OPINION),
    ("ns1 and namespace *", spec("of-ns1", "get", "pods", "*"), NO_OPINION),
    ("pods and resource *", spec("of-pods", "get", "*", "n"), NO_OPINION),
    ("everything and everything", spec("of-everywhere", "*", "*.*/*", "*", "*"), ALLOWED),
    # Paths
    ("/apis", spec("of-apis", "get", "/apis"), ALLOWED),
    ("/apis and /apis/v1", spec("of-apis", "get", "/apis/v1"), NO_OPINION),
    ("/apis and /apis/", spec("of-apis", "get", "/apis/"), NO_OPINION),
    ("/apis/* and below", spec("below-apis", "get", "/apis/apps/v1"), ALLOWED),
    ("/apis/* and /apis", spec("below-apis", "get", "/apis"), NO_OPINION),
    ("/apis/* and /api/v1", spec("below-apis", "get", "/api/v1"), NO_OPINION),
    ("* is no path", spec("of-everywhere", "get", "/apis"), NO_OPINION),
    ("/* is no resource", spec("of-every-path", "get", "pods", "n", "p"), NO_OPINION),
    ("/* and //x", spec("of-every-path", "get", "//x"), ALLOWED),
    ("get a path", spec("path-getter", "get", "/metrics"), ALLOWED),
    ("watch a path", spec("path-getter", "watch", "/metrics"), NO_OPINION),
    # Deny
    ("allow, then deny", spec("allowed-then-denied", "get", "secrets", "n", "s"), DENIED),
    ("allow, then deny: others", spec("allowed-then-denied", "get", "pods", "n"), ALLOWED),
    ("deny, then allow", spec("denied-then-allowed", "get", "secrets", "n", "s"), DENIED),
    ("deny alone", spec("only-denied", "get", "secrets", "n", "s"), DENIED),
    ("deny alone: others", spec("only-denied", "get", "pods", "n"), NO_OPINION),
    ("deny over a role's allow", spec("chef", "get", "secrets", "n", "s"), DENIED),
    ("a role's role", spec("chef", "get", "pods", "n"), ALLOWED),
    # Kinds of subjects
    ("the account", spec("system:serviceaccount:ns:n", "get", "pods", "ns"), ALLOWED),
    ("another name", spec("system:serviceaccount:ns:nn", "get", "pods", "ns"), NO_OPINION),
    ("another namespace", spec("system:serviceaccount:n:n", "get", "pods", "ns"), NO_OPINION),
    ("a user of that name", spec("serviceaccount:ns:n", "get", "pods", "ns"), NO_OPINION),
    ("a user named role:x", spec("role:x", "get", "pods"), NO_OPINION),
    ("a user named group:team", spec("group:team", "get", "pods"), NO_OPINION),
    ("a user named user:masquerade", spec("user:masquerade", "get", "pods"), NO_OPINION),
    ("a group named role:x", spec("u", "get", "pods", groups=["role:x"]), NO_OPINION),
    ("a group named user:…", spec("u", "get", "pods", groups=["user:masquerade"]), NO_OPINION),
    ("a group named as a user", spec("u", "get", "pods", groups=["masquerade"]), NO_OPINION),
    ("a user named as a group", spec("team", "get", "pods"), NO_OPINION),
    ("a user named *", spec("*", "get", "pods"), NO_OPINION),
    # Impersonation
    ("as dave", spec("impersonator", "impersonate", "users", name="dave"), ALLOWED),
    ("as erin", spec("impersonator", "impersonate", "users", name="erin"), NO_OPINION),
    ("as qa", spec("impersonator", "impersonate", "groups", name="qa"), ALLOWED),
    (
        "as masters",
        spec("impersonator", "impersonate", "groups", name="system:masters"),
        NO_OPINION,
    ),
    (
        "as robot",
        spec("impersonator", "impersonate", "serviceaccounts", "team", "robot"),
        ALLOWED,
    ),
    (
        "as another team's robot",
        spec("impersonator", "impersonate", "serviceaccounts", "other", "robot"),
        NO_OPINION,
    ),
    (
        "with a scope",
        spec("impersonator", "impersonate", "userextras.authentication.k8s.io/scopes", "", "view"),
        ALLOWED,
    ),
    (
        "with another scope",
        spec("impersonator", "impersonate", "userextras.authentication.k8s.io/scopes", "", "all"),
        NO_OPINION,
    ),
    (
        "with another extra",
        spec("impersonator", "impersonate", "userextras.authentication.k8s.io/x", "", "view"),
        NO_OPINION,
    ),
    (
        "with a uid",
        spec("impersonator", "impersonate", "uids.authentication.k8s.io", name="1234"),
        ALLOWED,
    ),
    (
        "constrained impersonation",
        spec("impersonator", "impersonate:user-info", "users", name="dave"),
        NO_OPINION,
    ),
    (
        "constrained impersonation's action",
        spec("impersonator", "impersonate-on:user-info:list", "users", name="dave"),
        NO_OPINION,
    ),
    # Grants for a time
    ("roles 30 deep", spec("deep", "get", "pods", "n"), ALLOWED),
    # The control plane
    ("scheduler", spec("system:kube-scheduler", "list", "pods"), NO_OPINION),
    ("controller", spec("system:kube-controller-manager", "update", "pods", "n"), NO_OPINION),
    (
        "node",
        spec("system:node:n1", "get", "secrets", "n", "s", groups=["system:nodes"]),
        NO_OPINION,
    ),
    (
        "anonymous",
        spec("system:anonymous", "get", "/livez", groups=["system:unauthenticated"]),
        NO_OPINION,
    ),
]


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_each_review_gets_its_verdict(server: AuthsvcServer, version: str) -> None:
    wrong = []
    with server.connect_as_api_server() as connection:
        for name, asked, expected in CASES:
            sent = dict(asked)
            if version == "v1beta1":
                for here, there in (("groups", "group"), ("group", "groups")):
                    if here in asked:
                        sent[there] = sent.pop(here) if there not in asked else sent[there]
            answer = connection.post("/authorize", access_review(sent, version))
            assert answer.json()["apiVersion"] == f"authorization.k8s.io/{version}"
            found = verdict(answer.json()["status"])
            if found != expected:
                wrong.append((name, found, expected))

    assert wrong == []


def test_the_api_version_of_a_resource_never_matters(server: AuthsvcServer) -> None:
    for version in ("", "v1", "v2alpha1", "*"):
        asked = spec("of-pods", "get", "pods", "n", "p")
        asked["resourceAttributes"]["version"] = version
        assert verdict(server.authorize(asked)) == ALLOWED


def test_an_empty_policy_has_no_opinion_on_anything(start_authsvc: StartAuthsvc) -> None:
    server = start_authsvc(policy={"policy.csv": "# authsvc: empty\n"})

    for asked in (spec("", "", ""), spec("alice", "get", "pods"), spec("*", "*", "*", "*", "*")):
        assert verdict(server.authorize(asked)) == NO_OPINION
    assert verdict(server.authorize(spec("", "get", "/"))) == NO_OPINION


def test_without_a_policy_in_the_configuration_nothing_has_an_opinion(
    start_authsvc: StartAuthsvc,
) -> None:
    server = start_authsvc(settings={"authorization": {"policy": None}})

    assert server.authorize(spec("alice", "get", "pods")) == {"allowed": False}


def test_a_policy_that_is_not_loaded_is_said_to_the_api_server_at_once(
    start_authsvc: StartAuthsvc,
) -> None:
    """503 without Retry-After: a 500, or a Retry-After, keeps the user waiting for seconds."""
    server = start_authsvc(
        command=(sys.executable, broken_authsvc.__file__, "serve", "--config", "{config}")
    )

    answer = server.post("/authorize", access_review(spec("alice", "get", "pods")))

    assert answer.status == 503
    assert "Retry-After" not in answer.headers
    assert answer.json()["kind"] == "Status"


def test_a_reason_names_the_row_and_the_way_to_it(server: AuthsvcServer) -> None:
    row = POLICY.splitlines().index(
        next(line for line in POLICY.splitlines() if line.startswith("p, role:cook"))
    )

    reason = server.authorize(spec("chef", "get", "pods", "n"))["reason"]

    assert f"cases.csv:{row + 1}" in reason
    for step in ("user:chef", "role:chef", "role:cook"):
        assert step in reason


def test_a_reason_stays_short_however_long_the_names_are(start_authsvc: StartAuthsvc) -> None:
    name = "n" * 4000
    rows = f"g, user:{name}, role:{name}, *\np, role:{name}, *, *, *, *, allow\n"
    server = start_authsvc(policy={f"{'f' * 200}.csv": rows})

    assert verdict(server.authorize(spec(name, "get", "pods"))) == ALLOWED


# Grants for a time


def test_a_grant_holds_from_its_first_moment_to_its_last() -> None:
    """In the process: the wire has no clock to turn."""
    policy = (
        "p, role:x, *, pods, *, *, allow\n"
        "g, user:bob, role:x, *, 2026-11-23T20:00:00Z, 2026-11-24T02:00:00Z\n"
    )
    asked = Attributes(UserInfo("bob"), "get", resource="pods")

    snapshot = SimpleNamespace(current=compile_rows(read_text({"policy.csv": policy})))

    def at(time: str) -> Effect:
        moment = datetime.fromisoformat(time).timestamp()
        return PolicyAuthorizer(snapshot, clock=lambda: moment).authorize(asked).effect

    assert at("2026-11-23T19:59:59Z") is Effect.NO_OPINION
    assert at("2026-11-23T20:00:00Z") is Effect.ALLOW
    assert at("2026-11-24T01:59:59Z") is Effect.ALLOW
    assert at("2026-11-24T02:00:00Z") is Effect.NO_OPINION


def test_grants_of_the_past_and_of_the_future_are_worth_nothing(
    start_authsvc: StartAuthsvc,
) -> None:
    server = start_authsvc(
        policy={
            "policy.csv": "p, role:x, *, pods, *, *, allow\n"
            "g, user:past,    role:x, *, 2001-01-01T00:00:00Z, 2002-01-01T00:00:00Z\n"
            "g, user:present, role:x, *, 2001-01-01T00:00:00Z, 2999-01-01T00:00:00Z\n"
            "g, user:future,  role:x, *, 2998-01-01T00:00:00Z, 2999-01-01T00:00:00Z\n"
        }
    )

    for user, expected in (("past", NO_OPINION), ("present", ALLOWED), ("future", NO_OPINION)):
        assert verdict(server.authorize(spec(user, "get", "pods"))) == expected
