"""GitHub and GitLab as their published API documents describe them, in a few lines each.

GitHub: https://docs.github.com/rest/users/users,
https://docs.github.com/rest/orgs/orgs, https://docs.github.com/rest/teams/teams,
https://docs.github.com/rest/apps/oauth-applications,
https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api.
GitLab: https://docs.gitlab.com/api/users/, https://docs.gitlab.com/api/groups/,
https://docs.gitlab.com/api/oauth2/, https://docs.gitlab.com/api/rest/#pagination.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from tests.parts.web_server import Answer, Asked

APP_ID = "Iv1.0123456789abcdef"
APP_SECRET = "the app's own secret"
OAUTH_TOKEN = "0123456789abcdef" * 4


def bearer(asked: Asked) -> str:
    """Return the token of a request."""
    return asked.headers.get("authorization", "").removeprefix("Bearer ")


def page(asked: Asked, items: list[Any]) -> list[Any]:
    """Return the page of a list that a request asks for."""
    size, number = (int(asked.query.get(name, ["1"])[0]) for name in ("per_page", "page"))
    return items[(number - 1) * size : number * size]


def tagged(asked: Asked, document: object, headers: dict[str, str]) -> Answer:
    """Answer with an ETag, or that nothing changed since the one the request names."""
    etag = hashlib.sha256(json.dumps(document).encode()).hexdigest()
    if asked.headers.get("if-none-match") == etag:
        return Answer(b"", 304, {**headers, "ETag": etag})
    return Answer(document, 200, {**headers, "ETag": etag})


class FakeGitHub:
    """Users by token; ``limit`` is what remains of everybody's rate limit."""

    def __init__(self) -> None:
        self.limit = 5000
        self.reset_at = 0
        self.expiry = ""
        self.orgs = {"alice": ["acme", "Elsewhere"], "bob": ["Elsewhere"]}
        self.users = {
            "ghp_alice": {"login": "alice", "id": 1, "type": "User"},
            "github_pat_alice": {"login": "alice", "id": 1, "type": "User"},
            "gho_alice": {"login": "alice", "id": 1, "type": "User"},
            "ghp_bob": {"login": "bob", "id": 2, "type": "User"},
            "ghp_robot": {"login": "robot", "id": 3, "type": "Bot"},
            "ghp_gone": {"login": "gone", "id": 4, "type": "User", "suspended_at": "2026-01-01"},
        }
        # slug: parent's slug
        self.teams: dict[str, str | None] = {
            "backend": "engineering",
            "engineering": "everyone",
            "everyone": None,
            "on-call": None,
        }
        self.member_of = {"alice": ["backend", "on-call"]}
        self.app_tokens = {"gho_alice"}

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == f"/applications/{APP_ID}/token":
            return self._check_token(asked)
        user = self.users.get(bearer(asked))
        if user is None:
            return Answer({"message": "Bad credentials"}, 401)
        self.limit -= 1
        headers = {
            "X-RateLimit-Remaining": str(max(self.limit, 0)),
            "X-RateLimit-Reset": str(self.reset_at),
        }
        if self.limit < 0:
            return Answer({"message": "API rate limit exceeded"}, 403, headers)
        if self.expiry:
            headers["GitHub-Authentication-Token-Expiration"] = self.expiry
        document = self._document(asked, str(user["login"]))
        if document is None:
            return Answer({"message": "Not Found"}, 404, headers)
        return tagged(asked, user if asked.path == "/user" else document, headers)

    def _document(self, asked: Asked, login: str) -> object:
        if asked.path == "/user":
            return {}
        if asked.path == "/user/orgs":
            return page(asked, [{"login": name, "id": 9} for name in self.orgs.get(login, [])])
        if asked.path == "/user/teams":
            return page(asked, [self._team(slug) for slug in self.member_of.get(login, [])])
        slug = asked.path.removeprefix("/orgs/acme/teams/")
        return self._team(slug) if slug in self.teams else None

    def _team(self, slug: str) -> dict[str, Any]:
        parent = self.teams[slug]
        return {
            "slug": slug,
            "organization": {"login": "acme"},
            "parent": None if parent is None else {"slug": parent},
        }

    def _check_token(self, asked: Asked) -> Answer:
        expected = base64.b64encode(f"{APP_ID}:{APP_SECRET}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {expected}":
            return Answer({"message": "Requires authentication"}, 401)
        if json.loads(asked.body)["access_token"] not in self.app_tokens:
            return Answer({"message": "Not Found"}, 404)
        return Answer({"app": {"client_id": APP_ID}})


class FakeGitLab:
    """Users by token, and who is in which groups."""

    def __init__(self) -> None:
        self.users = {
            "glpat-alice": {"username": "alice", "id": 1, "state": "active", "locked": False},
            OAUTH_TOKEN: {"username": "alice", "id": 1, "state": "active", "locked": False},
            "glpat-bob": {"username": "bob", "id": 2, "state": "active", "locked": False},
            "glpat-gone": {"username": "gone", "id": 3, "state": "blocked", "locked": False},
            "glpat-locked": {"username": "locked", "id": 4, "state": "active", "locked": True},
            "glpat-userless": {"username": "alice", "id": 1, "state": "active", "locked": False},
        }
        self.groups = {
            "alice": ["acme", "acme/platform", "acme/platform/sre", "acmes-rival"],
            "bob": ["acmes-rival", "other/acme"],
        }
        self.application = "our-application"

    def __call__(self, asked: Asked) -> Answer:
        token = bearer(asked)
        user = self.users.get(token)
        if user is None:
            return Answer({"message": "401 Unauthorized"}, 401)
        if asked.path == "/oauth/token/info":
            return Answer({"resource_owner_id": 1, "application": {"uid": self.application}})
        if asked.path == "/api/v4/user":
            return tagged(asked, user, {})
        if token == "glpat-userless":
            return Answer({"error": "insufficient_scope", "scope": "api read_api"}, 403)
        assert asked.path == "/api/v4/groups"
        assert asked.query["min_access_level"] == ["10"]
        groups = [{"full_path": path} for path in self.groups.get(str(user["username"]), [])]
        return tagged(asked, page(asked, groups), {})
