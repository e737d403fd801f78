"""A directory adds groups to what a provider says, and has the last word on who is there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from authsvc.authn.enrichment import (
    EnrichedTokenAuthenticator,
)
from authsvc.authn.enrichment_settings import EnrichmentSettings, UnknownUsers
from authsvc.errors import BackendError
from authsvc.interfaces import Identity, UserInfo


class Provider:
    """Knows one token."""

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        if token != "good":
            return None
        return Identity(UserInfo("oidc:alice", "7", ("oidc:b",)), tuple(audiences), 99.0)


class Directory:
    """Knows one user, by the name that the directory has for them."""

    def __init__(self, user: UserInfo | None) -> None:
        self.user = user
        self.asked: list[str] = []

    def lookup(self, username: str) -> UserInfo | None:
        self.asked.append(username)
        return self.user


class Broken:
    def lookup(self, username: str) -> UserInfo | None:  # noqa: ARG002  the protocol's signature
        raise BackendError("the directory is down")


ALICE = UserInfo("alice", "other-uid", ("a", "oidc:b"))
SETTINGS = EnrichmentSettings("ldap", strip_prefix="oidc:")


def test_groups_are_added_and_nothing_else_changes() -> None:
    directory = Directory(ALICE)
    enriched = EnrichedTokenAuthenticator(Provider(), directory, SETTINGS, "oidc")

    identity = enriched.authenticate_token("good", ("x",))

    assert identity == Identity(UserInfo("oidc:alice", "7", ("a", "oidc:b")), ("x",), 99.0)
    assert directory.asked == ["alice"]


def test_the_directory_is_not_asked_about_nobody() -> None:
    directory = Directory(ALICE)

    assert (
        EnrichedTokenAuthenticator(Provider(), directory, SETTINGS, "x").authenticate_token(
            "bad", ()
        )
        is None
    )
    assert directory.asked == []


@pytest.mark.parametrize(
    ("unknown", "kept"), [(UnknownUsers.REFUSE, False), (UnknownUsers.KEEP, True)]
)
def test_whom_the_directory_does_not_know_is_refused_unless_configured(
    unknown: UnknownUsers, kept: bool
) -> None:
    settings = EnrichmentSettings("ldap", unknown_users=unknown)
    enriched = EnrichedTokenAuthenticator(Provider(), Directory(None), settings, "oidc")

    assert (enriched.authenticate_token("good", ()) is not None) is kept


def test_a_directory_that_is_down_is_a_failure_and_not_fewer_groups() -> None:
    settings = EnrichmentSettings("ldap", unknown_users=UnknownUsers.KEEP)
    enriched = EnrichedTokenAuthenticator(Provider(), Broken(), settings, "oidc")

    with pytest.raises(BackendError):
        enriched.authenticate_token("good", ())


def test_an_explanation_ends_with_what_the_directory_says() -> None:
    known = EnrichedTokenAuthenticator(Provider(), Directory(ALICE), SETTINGS, "oidc")
    gone = EnrichedTokenAuthenticator(Provider(), Directory(None), SETTINGS, "oidc")

    assert known.explain("good", ()).checks[-1] == (
        "directory",
        True,
        "ldap knows alice: a, oidc:b",
        "",
    )
    assert gone.explain("good", ()).checks[-1].passed is False
    assert gone.explain("good", ()).identity is None
    assert gone.explain("bad", ()).checks[-1].name == "token"
