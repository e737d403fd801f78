"""Several authenticators as one: the first who knows answers, whoever else fails."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from authsvc.authn.union import UnionTokenAuthenticator
from authsvc.errors import BackendError, NotReadyError
from authsvc.interfaces import Identity, UserInfo

ALICE, BOB = Identity(UserInfo("alice")), Identity(UserInfo("bob"))


class Says:
    """Says always the same, or fails always the same; counts how often it was asked."""

    def __init__(self, answer: Identity | Exception | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        self.asked.append((token, tuple(audiences)))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def ask(*providers: Says) -> Identity | None:
    union = UnionTokenAuthenticator([(f"p{index}", each) for index, each in enumerate(providers)])
    with capture_logs():
        return union.authenticate_token("token", ("audience",))


def test_nobody_configured_knows_nobody() -> None:
    assert ask() is None


def test_the_first_who_knows_the_token_answers_and_the_rest_are_not_asked() -> None:
    rest = Says(BOB)
    assert ask(Says(None), Says(ALICE), rest) == ALICE
    assert rest.asked == []


def test_each_is_asked_for_the_token_and_the_audiences() -> None:
    provider = Says(None)
    assert ask(provider) is None
    assert provider.asked == [("token", ("audience",))]


FAILURES = [BackendError("down"), NotReadyError("not loaded"), KeyError("a fault of ours")]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_one_that_fails_does_not_hide_anothers_answer(failure: Exception) -> None:
    assert ask(Says(failure), Says(ALICE)) == ALICE


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("failing_first", [True, False])
def test_if_nobody_knows_and_one_failed_there_is_no_verdict(
    failure: Exception, failing_first: bool
) -> None:
    providers = [Says(failure), Says(None)]
    with pytest.raises(BackendError, match="no answer from p"):
        ask(*(providers if failing_first else reversed(providers)))


def test_what_failed_is_named_and_what_a_fault_quotes_is_not() -> None:
    union = UnionTokenAuthenticator(
        [
            ("corp", Says(ValueError("canary"))),
            ("forge", Says(BackendError("timed out"))),
            ("table", Says(NotReadyError("not loaded"))),
        ]
    )
    with capture_logs() as logged, pytest.raises(BackendError) as caught:
        union.authenticate_token("canary", ())
    assert str(caught.value) == "no answer from corp, forge, table"
    assert [(line["event"], line["authenticator"], line.get("error")) for line in logged] == [
        ("authenticator_crashed", "corp", None),
        ("authenticator_failed", "forge", "timed out"),
        ("authenticator_failed", "table", "not loaded"),
    ]


@pytest.mark.parametrize(
    "answers",
    [[], [None], [None, ALICE, BOB], [*FAILURES, ALICE], [None, *FAILURES]],
    ids=["nobody", "unknown", "the first", "after failures", "a failure"],
)
def test_an_explanation_ends_as_the_answer_does(
    answers: list[Identity | Exception | None],
) -> None:
    union = UnionTokenAuthenticator([(f"p{at}", Says(each)) for at, each in enumerate(answers)])
    with capture_logs():
        try:
            answer: Identity | str | None = union.authenticate_token("token", ())
        except BackendError:
            answer = "failed"

    told = union.explain("token", ())

    assert ("failed" if told.failed else told.identity) == answer
    assert told.authenticator == (f"p{answers.index(ALICE)}" if ALICE in answers else "")


def test_an_explanation_tells_whose_steps_they_are_and_quotes_no_fault() -> None:
    faulty, knowing = Says(ValueError("canary")), Says(ALICE)
    union = UnionTokenAuthenticator([("corp", faulty), ("sso", knowing)])

    told = union.explain("canary", ())

    assert [(check.authenticator, check.name, check.passed) for check in told.checks] == [
        ("corp", "route", True),
        ("corp", "provider", None),
        ("sso", "route", True),
        ("sso", "token", True),
    ]
    assert "canary" not in str(told)
