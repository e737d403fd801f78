"""A policy on trial never decides, whatever becomes of it."""

from __future__ import annotations

import pytest

from authsvc.authz.shadow import ShadowAuthorizer
from authsvc.errors import NotReadyError
from authsvc.interfaces import NO_OPINION, Attributes, Decision, Effect, UserInfo

REQUEST = Attributes(UserInfo("alice"), "get", resource="pods")


class Fixed:
    def __init__(self, answer: Decision | Exception) -> None:
        self._answer = answer

    def authorize(self, attributes: Attributes) -> Decision:
        assert attributes is REQUEST
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize("effect", list(Effect))
def test_what_would_have_been_said_is_handed_on_and_not_said(effect: Effect) -> None:
    decision = Decision(effect, "because", ("policy/a.csv:1",))
    answer = ShadowAuthorizer(Fixed(decision)).authorize(REQUEST)
    assert answer == NO_OPINION._replace(shadowed=decision)


@pytest.mark.parametrize("error", [NotReadyError("policy: not loaded"), ZeroDivisionError()])
def test_a_policy_that_fails_is_no_opinion(error: Exception) -> None:
    assert ShadowAuthorizer(Fixed(error)).authorize(REQUEST) == NO_OPINION
