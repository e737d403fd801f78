"""A GitLab token is its user's where the user is in a group of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from authsvc.authn.forge.gitlab import GitLabAuthenticator
from authsvc.authn.forge.settings import GitLabSettings
from authsvc.errors import BackendError
from authsvc.interfaces import TokenAuthenticator, UserInfo
from tests.contract.token_authenticator import TokenAuthenticatorContract
from tests.parts.forges import OAUTH_TOKEN, FakeGitLab
from tests.parts.web_server import Answer, NewWebServer, WebServer

ALICE = UserInfo(
    "gitlab:alice",
    "1",
    ("gitlab:acme", "gitlab:acme/platform", "gitlab:acme/platform/sre"),
)

NewGitLab = Callable[..., GitLabAuthenticator]


@pytest.fixture
def forge() -> FakeGitLab:
    return FakeGitLab()


@pytest.fixture
def server(forge: FakeGitLab, new_web_server: NewWebServer) -> WebServer:
    return new_web_server(forge)


@pytest.fixture
def new_gitlab(server: WebServer) -> Iterator[NewGitLab]:
    made: list[GitLabAuthenticator] = []

    def make(**changes: Any) -> GitLabAuthenticator:
        arguments = {"groups": ("acme",), "url": server.url, **changes}
        made.append(GitLabAuthenticator(GitLabSettings(**arguments)))
        return made[-1]

    yield make
    for authenticator in made:
        authenticator.close()


@pytest.fixture
def gitlab(new_gitlab: NewGitLab) -> GitLabAuthenticator:
    return new_gitlab()


class TestContract(TokenAuthenticatorContract):
    @pytest.fixture
    def authenticator(self, gitlab: GitLabAuthenticator) -> TokenAuthenticator:
        return gitlab

    @pytest.fixture
    def good_token(self) -> str:
        return "glpat-alice"

    @pytest.fixture
    def expected_user(self) -> UserInfo:
        return ALICE


def test_groups_of_ours_by_their_full_path(gitlab: GitLabAuthenticator) -> None:
    identity = gitlab.authenticate_token("glpat-alice", ())

    assert identity is not None
    assert identity.user == ALICE


def test_membership_below_a_group_is_enough(new_gitlab: NewGitLab) -> None:
    identity = new_gitlab(groups=("acme/platform",)).authenticate_token("glpat-alice", ())

    assert identity is not None
    assert identity.user.groups == ("gitlab:acme/platform", "gitlab:acme/platform/sre")


@pytest.mark.parametrize(
    "token", ["glpat-bob", "glpat-gone", "glpat-locked", "glpat-userless", "glpat-nobody"]
)
def test_others_are_nobody(gitlab: GitLabAuthenticator, token: str) -> None:
    assert gitlab.authenticate_token(token, ()) is None


def test_hundreds_of_groups_come_page_by_page(
    forge: FakeGitLab, gitlab: GitLabAuthenticator
) -> None:
    forge.groups["alice"] = [f"acme/{number}" for number in range(250)]

    identity = gitlab.authenticate_token("glpat-alice", ())

    assert identity is not None
    assert len(identity.user.groups) == 250


@pytest.mark.parametrize("token", [OAUTH_TOKEN, "ghp_alice", "eyJ.eyJ.x", "opaque"])
def test_other_tokens_are_not_sent_to_gitlab(
    gitlab: GitLabAuthenticator, server: WebServer, token: str
) -> None:
    assert gitlab.authenticate_token(token, ()) is None
    assert server.asked == []


def test_a_self_managed_gitlab_may_have_a_prefix_of_its_own(
    forge: FakeGitLab, new_gitlab: NewGitLab
) -> None:
    forge.users["acme-pat-1"] = forge.users["glpat-alice"]

    assert new_gitlab(token_prefixes=("acme-pat-",)).authenticate_token("acme-pat-1", ())


@pytest.mark.parametrize(("application", "taken"), [("our-application", True), ("x", False)])
def test_tokens_of_our_application_alone_are_taken(
    forge: FakeGitLab, new_gitlab: NewGitLab, application: str, taken: bool
) -> None:
    forge.application = application
    gitlab = new_gitlab(application_ids=("our-application",))

    assert (gitlab.authenticate_token(OAUTH_TOKEN, ()) is not None) is taken


def test_a_rate_limit_is_honoured(new_web_server: NewWebServer, new_gitlab: NewGitLab) -> None:
    limited = Answer({}, 429, {"RateLimit-Remaining": "0", "Retry-After": "30"})
    server = new_web_server(limited)
    gitlab = new_gitlab(url=server.url)

    for _ in range(3):
        with pytest.raises(BackendError, match="rate limit"):
            gitlab.authenticate_token("glpat-alice", ())

    assert len(server.asked) == 1


def test_too_many_groups_are_a_failure_and_not_fewer(
    new_web_server: NewWebServer, forge: FakeGitLab, new_gitlab: NewGitLab
) -> None:
    endless = Answer([{"full_path": "acme"}] * 100)
    server = new_web_server(
        lambda asked: endless if asked.path == "/api/v4/groups" else forge(asked)
    )

    with pytest.raises(BackendError, match="more than"):
        new_gitlab(url=server.url).authenticate_token("glpat-alice", ())
