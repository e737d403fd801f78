"""Several authorizers as one, and one that only watches."""

import pytest
from structlog.testing import capture_logs

from authsvc.authz.shadow import ShadowAuthorizer
from authsvc.authz.union import UnionAuthorizer
from authsvc.errors import NotReadyError
from authsvc.interfaces import NO_OPINION, Attributes, Decision, Effect
from tests.contract.asking import ask

ALLOW = Decision(Effect.ALLOW, "allowed by a.csv:1", ("a.csv:1",))
DENY = Decision(Effect.DENY, "denied by a.csv:2", ("a.csv:2",))


class Says:
    """An authorizer that always says the same."""

    def __init__(self, decision: Decision | None) -> None:
        self.decision = decision
        self.asked: list[Attributes] = []

    def authorize(self, attributes: Attributes) -> Decision:
        self.asked.append(attributes)
        if self.decision is None:
            raise NotReadyError("policy: not loaded")
        return self.decision


@pytest.mark.parametrize(
    ("opinions", "expected"),
    [
        ([], NO_OPINION),
        ([NO_OPINION], NO_OPINION),
        ([NO_OPINION, ALLOW, DENY], ALLOW),
        ([NO_OPINION, DENY, ALLOW], DENY),
    ],
)
def test_the_first_opinion_of_a_union_is_its_own(
    opinions: list[Decision], expected: Decision
) -> None:
    assert UnionAuthorizer([Says(opinion) for opinion in opinions]).authorize(ask()) == expected


def test_a_union_asks_no_further_than_it_must() -> None:
    last = Says(ALLOW)

    UnionAuthorizer([Says(DENY), last]).authorize(ask())

    assert not last.asked


def test_one_that_is_not_ready_might_have_denied() -> None:
    with pytest.raises(NotReadyError):
        UnionAuthorizer([Says(None), Says(ALLOW)]).authorize(ask())


@pytest.mark.parametrize("decision", [ALLOW, DENY, NO_OPINION])
def test_a_shadow_has_no_opinion_and_hands_on_the_one_it_hides(decision: Decision) -> None:
    answer = ShadowAuthorizer(Says(decision)).authorize(ask())

    assert answer.effect is Effect.NO_OPINION
    assert answer.reason == ""
    assert answer.rules == ()
    assert answer.shadowed == decision


def test_a_shadow_does_not_fail_where_there_is_no_policy() -> None:
    with capture_logs() as logs:
        assert ShadowAuthorizer(Says(None)).authorize(ask()) == NO_OPINION

    assert [entry["event"] for entry in logs] == ["shadow_not_ready"]
