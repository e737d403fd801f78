"""What every evaluator of the policy language must do.

Subclass it and give the fixture; pytest runs each test on your authorizer::

    class TestMine(AuthorizerContract):
        @pytest.fixture
        def authorizer_of(self):
            return lambda text, now: MyAuthorizer(policy.read_text({"policy.csv": text}), now)
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from authsvc.interfaces import Attributes, Authorizer, Effect, Requirement, UserInfo
from tests.contract.asking import NONE, NOW, A, D, ask, p
from tests.contract.conditions import NODE, SELECTORS
from tests.contract.grants import GRANTS, ROLE
from tests.contract.rules import VERDICTS

AuthorizerOf = Callable[[str, float], Authorizer]


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
