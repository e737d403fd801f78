"""A GitHub token is its user's where the user is in an organisation of ours."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from authsvc.authn.forge.github import GitHubAuthenticator
from authsvc.authn.forge.settings import GitHubApp, GitHubSettings
from authsvc.errors import BackendError
from authsvc.interfaces import TokenAuthenticator, UserInfo
from tests.contract.token_authenticator import TokenAuthenticatorContract
from tests.parts.forges import APP_ID, APP_SECRET, FakeGitHub, bearer
from tests.parts.web_server import Answer, Asked, NewWebServer, WebServer

ALICE = UserInfo(
    "github:alice",
    "1",
    (
        "github:acme",
        "github:acme:backend",
        "github:acme:engineering",
        "github:acme:everyone",
        "github:acme:on-call",
    ),
)
NOW = 1_800_000_000.0

NewGitHub = Callable[..., GitHubAuthenticator]


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def forge() -> FakeGitHub:
    return FakeGitHub()


@pytest.fixture
def server(forge: FakeGitHub, new_web_server: NewWebServer) -> WebServer:
    return new_web_server(forge)


@pytest.fixture
def new_github(server: WebServer, clock: Clock) -> Iterator[NewGitHub]:
    made: list[GitHubAuthenticator] = []

    def make(**changes: Any) -> GitHubAuthenticator:
        arguments = {"organizations": ("ACME",), "url": server.url, **changes}
        made.append(GitHubAuthenticator(GitHubSettings(**arguments), clock=clock))
        for file in made[-1].files:
            file.load()
        return made[-1]

    yield make
    for authenticator in made:
        authenticator.close()


@pytest.fixture
def github(new_github: NewGitHub) -> GitHubAuthenticator:
    return new_github()


class TestContract(TokenAuthenticatorContract):
    @pytest.fixture
    def authenticator(self, github: GitHubAuthenticator) -> TokenAuthenticator:
        return github

    @pytest.fixture
    def good_token(self) -> str:
        return "ghp_alice"

    @pytest.fixture
    def expected_user(self) -> UserInfo:
        return ALICE


@pytest.mark.parametrize("token", ["ghp_alice", "github_pat_alice"])
def test_teams_and_all_above_them_are_groups(github: GitHubAuthenticator, token: str) -> None:
    identity = github.authenticate_token(token, ())

    assert identity is not None
    assert identity.user == ALICE


def test_teams_may_be_left_out(new_github: NewGitHub, server: WebServer) -> None:
    identity = new_github(teams=False).authenticate_token("ghp_alice", ())

    assert identity is not None
    assert identity.user.groups == ("github:acme",)
    assert "/user/teams" not in server.paths()


@pytest.mark.parametrize("token", ["ghp_bob", "ghp_robot", "ghp_gone", "ghp_nobody"])
def test_others_are_nobody(github: GitHubAuthenticator, token: str) -> None:
    assert github.authenticate_token(token, ()) is None


def test_teams_that_are_nested_in_a_circle_come_once(
    forge: FakeGitHub, github: GitHubAuthenticator
) -> None:
    forge.teams["everyone"] = "backend"

    identity = github.authenticate_token("ghp_alice", ())

    assert identity is not None
    assert identity.user == ALICE


def test_hundreds_of_teams_come_page_by_page(
    forge: FakeGitHub, github: GitHubAuthenticator
) -> None:
    forge.teams = {f"team-{number}": None for number in range(250)}
    forge.member_of["alice"] = list(forge.teams)

    identity = github.authenticate_token("ghp_alice", ())

    assert identity is not None
    assert len(identity.user.groups) == 251


@pytest.mark.parametrize("token", ["gho_alice", "ghs_x", "glpat-alice", "eyJ.eyJ.x", "opaque"])
def test_other_tokens_are_not_sent_to_github(
    github: GitHubAuthenticator, server: WebServer, token: str
) -> None:
    assert github.authenticate_token(token, ()) is None
    assert server.asked == []


@pytest.fixture
def app(tmp_path: Path) -> GitHubApp:
    file = tmp_path / "app-secret"
    file.write_text(APP_SECRET, encoding="utf-8")
    return GitHubApp(APP_ID, file)


def test_a_token_of_our_app_is_its_users(new_github: NewGitHub, app: GitHubApp) -> None:
    identity = new_github(app=app).authenticate_token("gho_alice", ())

    assert identity is not None
    assert identity.user == ALICE


def test_a_token_of_another_app_is_nobodys(
    forge: FakeGitHub, new_github: NewGitHub, app: GitHubApp, server: WebServer
) -> None:
    forge.app_tokens.clear()

    assert new_github(app=app).authenticate_token("gho_alice", ()) is None
    assert len(server.asked) == 1


def test_a_token_that_expires_bounds_its_identity(
    forge: FakeGitHub, github: GitHubAuthenticator
) -> None:
    forge.expiry = "2030-01-02 03:04:05 UTC"

    identity = github.authenticate_token("ghp_alice", ())

    assert identity is not None
    assert identity.expires_at == dt.datetime(2030, 1, 2, 3, 4, 5, tzinfo=dt.UTC).timestamp()


def test_what_did_not_change_is_asked_for_conditionally(
    github: GitHubAuthenticator, server: WebServer
) -> None:
    first = github.authenticate_token("ghp_alice", ())
    asked = len(server.asked)
    second = github.authenticate_token("ghp_alice", ())

    assert first == second
    assert all("if-none-match" in each.headers for each in server.asked[asked:])


def test_a_revoked_token_is_nobodys_at_once(forge: FakeGitHub, github: GitHubAuthenticator) -> None:
    assert github.authenticate_token("ghp_alice", ())

    del forge.users["ghp_alice"]

    assert github.authenticate_token("ghp_alice", ()) is None


def test_a_rate_limit_is_honoured_and_the_last_answers_serve_for_a_while(
    forge: FakeGitHub, github: GitHubAuthenticator, server: WebServer, clock: Clock
) -> None:
    before = github.authenticate_token("ghp_alice", ())
    forge.limit, forge.reset_at = 0, int(clock.now) + 600
    assert github.authenticate_token("ghp_alice", ()) == before
    asked = len(server.asked)

    clock.now += 200
    assert github.authenticate_token("ghp_alice", ()) == before
    clock.now += 200
    with pytest.raises(BackendError, match="rate limit"):
        github.authenticate_token("ghp_alice", ())
    assert len(server.asked) == asked

    clock.now += 300
    forge.limit = 5000
    assert github.authenticate_token("ghp_alice", ()) == before


def test_the_limit_of_one_user_is_not_anothers(
    forge: FakeGitHub, github: GitHubAuthenticator, clock: Clock
) -> None:
    forge.limit, forge.reset_at = 0, int(clock.now) + 600
    with pytest.raises(BackendError, match="rate limit"):
        github.authenticate_token("ghp_bob", ())

    forge.limit = 5000

    assert github.authenticate_token("ghp_alice", ())


@pytest.mark.parametrize(
    "answer",
    [
        Answer({}, 429, {"Retry-After": "30"}),
        Answer({}, 403, {"Retry-After": "30"}),
        Answer({}, 429),
        Answer({}, 500),
        Answer({}, 302, {"Location": "/elsewhere"}),
        Answer([]),
        Answer(b"<html>"),
    ],
    ids=lambda answer: f"{answer.status}-{answer.headers}",
)
def test_a_forge_that_cannot_answer_is_a_failure(
    new_web_server: NewWebServer, new_github: NewGitHub, answer: Answer
) -> None:
    server = new_web_server(answer)

    with pytest.raises(BackendError) as failure:
        new_github(url=server.url).authenticate_token("ghp_alice", ())

    assert "ghp_alice" not in str(failure.value)


def test_nobody_locks_others_out_by_a_token_that_met_a_secondary_limit(
    forge: FakeGitHub, new_web_server: NewWebServer, new_github: NewGitHub
) -> None:
    limited = Answer({}, 403, {"Retry-After": "3600"})
    server = new_web_server(
        lambda asked: limited if bearer(asked) == "ghp_mallory" else forge(asked)
    )
    github = new_github(url=server.url)

    for _ in range(2):
        with pytest.raises(BackendError, match="rate limit"):
            github.authenticate_token("ghp_mallory", ())
    assert len(server.asked) == 1

    assert github.authenticate_token("ghp_alice", ())


def test_answers_are_kept_up_to_a_size(
    github: GitHubAuthenticator, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("authsvc.authn.forge.api._MAX_KEPT_BYTES", 300)
    for _ in range(2):
        assert github.authenticate_token("ghp_alice", ())
    asked = len(server.asked)

    # The answers to alice are over the size together, so the first had to go.
    assert github.authenticate_token("ghp_alice", ())

    again = [each.path for each in server.asked[asked:] if "if-none-match" not in each.headers]
    assert "/user" in again


@pytest.mark.parametrize(
    "document", [[{}], [{"slug": "x"}], [{"slug": "x", "organization": "acme"}], ["team"], {}]
)
def test_teams_of_another_shape_are_a_failure_and_not_fewer_groups(
    forge: FakeGitHub, new_web_server: NewWebServer, new_github: NewGitHub, document: Any
) -> None:
    server = new_web_server(
        lambda asked: Answer(document) if asked.path == "/user/teams" else forge(asked)
    )

    with pytest.raises(BackendError):
        new_github(url=server.url).authenticate_token("ghp_alice", ())


PARTIAL = {"X-GitHub-SSO": "partial-results; organizations=21955855,20582480"}


@pytest.mark.parametrize("path", ["/user/orgs", "/user/teams"])
def test_a_token_to_which_github_shows_a_part_only_is_refused_and_told_why(
    forge: FakeGitHub, new_web_server: NewWebServer, new_github: NewGitHub, path: str
) -> None:
    marked = {path}

    def answer(asked: Asked) -> Answer:
        given = forge(asked)
        return given._replace(
            headers={**given.headers, **(PARTIAL if asked.path in marked else {})}
        )

    github = new_github(url=new_web_server(answer).url)

    assert github.authenticate_token("ghp_alice", ()) is None
    last = github.explain("ghp_alice", ()).checks[-1]
    assert (last.name, last.passed) == ("single sign-on", False)
    assert "organizations=21955855,20582480" in last.detail

    marked.clear()  # the user has authorised it; the lists are as they were
    assert github.authenticate_token("ghp_alice", ()) is not None


def test_an_explanation_tells_why_an_outsider_is_refused(github: GitHubAuthenticator) -> None:
    told = github.explain("ghp_bob", ())

    assert told.identity is None
    assert [(check.name, check.passed) for check in told.checks] == [
        ("route", True),
        ("user", True),
        ("organization", False),
    ]
