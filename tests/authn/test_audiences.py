"""A service answers for the audiences that it vouches for, and for no other."""

from __future__ import annotations

import pytest

from authsvc.authn.audiences import AudienceTokenAuthenticator
from authsvc.interfaces import Identity, UserInfo
from tests.authn.test_guard import Says


@pytest.mark.parametrize(
    ("asked", "answered", "audiences"),
    [
        (("a", "b"), (), ("b",)),
        (("c", "b"), (), ("c", "b")),
        (("b", "c"), ("c",), ("c",)),
        ((), (), ()),
    ],
    ids=["one of two", "both", "the token's own", "none asked"],
)
def test_an_answer_is_for_those_of_the_audiences_that_are_ours(
    asked: tuple[str, ...], answered: tuple[str, ...], audiences: tuple[str, ...]
) -> None:
    provider = Says(Identity(UserInfo("alice"), answered))
    bound = AudienceTokenAuthenticator(provider, ["b", "c"])
    identity = bound.authenticate_token("t", asked)
    assert identity is not None
    assert identity.audiences == audiences


def test_the_provider_is_asked_for_ours_alone() -> None:
    provider = Says(None)
    AudienceTokenAuthenticator(provider, ["b"]).authenticate_token("t", ("a", "b"))
    assert provider.asked == [("t", ("b",))]


def test_asked_for_others_alone_a_token_is_nobodys_and_no_back_end_is_asked() -> None:
    provider = Says(Identity(UserInfo("alice")))
    assert AudienceTokenAuthenticator(provider, ["b"]).authenticate_token("t", ("a",)) is None
    assert provider.asked == []


def test_an_explanation_names_the_audiences_as_an_answer_does() -> None:
    bound = AudienceTokenAuthenticator(Says(Identity(UserInfo("alice"))), ["b", "c"])

    told = bound.explain("t", ("a", "b"))

    assert told.identity == bound.authenticate_token("t", ("a", "b"))
    assert told.checks[0] == ("API audiences", True, "good for ['b']", "")


def test_an_explanation_ends_where_none_of_the_audiences_is_ours() -> None:
    provider = Says(Identity(UserInfo("alice")))

    told = AudienceTokenAuthenticator(provider, ["b"]).explain("t", ("a",))

    assert told.identity is None
    assert told.checks == (("API audiences", False, "asked for ['a'], good for ['b']", ""),)
    assert provider.asked == []
