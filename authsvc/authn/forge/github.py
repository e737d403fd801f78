"""GitHub: who a token belongs to, and which organisations and teams they are in.

The API: https://docs.github.com/rest/users/users#get-the-authenticated-user,
/rest/orgs/orgs#list-organizations-for-the-authenticated-user,
/rest/teams/teams#list-teams-for-the-authenticated-user,
/rest/apps/oauth-applications#check-a-token.
"""

from __future__ import annotations

import base64
import datetime as dt
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from authsvc.authn.audiences import bound_audiences
from authsvc.authn.checks import Refused, Report
from authsvc.authn.claims import map_user
from authsvc.authn.forge.api import ForgeAPI, text_at
from authsvc.authn.forge.settings import GitHubSettings
from authsvc.authn.provider import ProviderAuthenticator
from authsvc.authn.routing import Route, route_prefix
from authsvc.errors import BackendError
from authsvc.interfaces import Identity
from authsvc.reloading import Reloading
from authsvc.secret_files import secret_in

_PERSONAL = ("ghp_", "github_pat_")
_OF_APPS = ("gho_", "ghu_")
_MAX_NESTING = 16

Team = tuple[str, str]
"""An organisation's login and a team's slug."""


class GitHubAuthenticator(ProviderAuthenticator):
    """Knows the members of organisations by their GitHub tokens."""

    def __init__(
        self, settings: GitHubSettings, name: str = "github", clock: Callable[[], float] = time.time
    ) -> None:
        """Prepare; nobody is asked yet. ``clock`` gives seconds since the epoch."""
        super().__init__(settings.http, name)
        self._settings = settings
        self._api = ForgeAPI(settings.url, self._http, settings.stale_while_limited, clock)
        self._organizations = {each.casefold() for each in settings.organizations}
        self._prefixes = _PERSONAL + (_OF_APPS if settings.app else ())
        self._secret: Reloading[str] | None = None
        if settings.app is not None:
            part = f"authenticator/{name}/secret"
            self._secret = secret_in(settings.app.client_secret_file, part)
            self.files = (self._secret,)

    def route(self, token: str) -> Route:
        """Take personal access tokens, and those of apps where one is configured."""
        return route_prefix(token, self._prefixes)

    def _authenticate(self, token: str, audiences: Sequence[str], report: Report) -> Identity:
        deadline = self._http.deadline()
        if token.startswith(_OF_APPS):
            self._check_app(token, deadline, report)
        answer = self._api.read(token, "/user", deadline, "read:user")
        user = answer.json_object()
        if user.get("type", "User") != "User" or user.get("suspended_at"):
            raise Refused("user", "not a person's account, or suspended")
        report("user", f"{user.get('login')}")
        groups = self._groups(token, deadline, report)
        mapped = map_user({**user, "groups": sorted(groups)}, self._settings.mappings, report)
        bound = bound_audiences(audiences, self._settings.api_audiences, report)
        return Identity(mapped, bound, _expiry(answer.headers))

    def _check_app(self, token: str, deadline: float, report: Report) -> None:
        """Check that the token was made for our app: owners of others hold such tokens too."""
        app, secret = self._settings.app, self._secret
        if app is None or secret is None:
            raise Refused("app", "tokens of apps are not taken")
        pair = base64.b64encode(f"{app.client_id}:{secret.current}".encode()).decode("ascii")
        response = self._http.post_json(
            f"{self._settings.url.rstrip('/')}/applications/{quote(app.client_id, safe='')}/token",
            {"access_token": token},
            {"Authorization": f"Basic {pair}"},
            deadline=deadline,
        )
        if response.status in {404, 422}:
            raise Refused("app", f"it is not a token of app {app.client_id}")
        if response.status != 200:
            raise BackendError(f"{response.url}: status {response.status}")
        report("app", f"it is a token of app {app.client_id}")

    def _groups(self, token: str, deadline: float, report: Report) -> set[str]:
        listed = self._api.entries(token, "/user/orgs", deadline, "read:org")
        logins = [text_at(organization, "login") for organization in listed]
        ours = [login for login in logins if login.casefold() in self._organizations]
        if not ours:
            wanted = ", ".join(self._settings.organizations)
            raise Refused("organization", f"not in {wanted}, as far as the token may tell")
        report("organization", ", ".join(ours))
        groups = set(ours)
        if self._settings.teams:
            teams = self._api.entries(token, "/user/teams", deadline, "read:org")
            groups |= {
                f"{organization}:{slug}"
                for organization, slug in self._with_parents(token, teams, deadline)
            }
        return groups

    def _with_parents(
        self, token: str, teams: Iterable[Mapping[str, Any]], deadline: float
    ) -> set[Team]:
        """Return teams and all above them: whoever is in a team is in its parent."""
        found: set[Team] = set()
        waiting: dict[Team, Team | None] = {}
        for team in teams:
            organization = text_at(team, "organization", "login")
            if organization.casefold() in self._organizations:
                waiting[organization, text_at(team, "slug")] = _parent(team, organization)
        for _ in range(_MAX_NESTING):
            found |= waiting.keys()
            above = {parent for parent in waiting.values() if parent and parent not in found}
            if not above:
                return found
            waiting = {team: self._parent_of(token, team, deadline) for team in above}
        raise BackendError("teams are nested too deeply")

    def _parent_of(self, token: str, team: Team, deadline: float) -> Team | None:
        organization, slug = (quote(part, safe="") for part in team)
        path = f"/orgs/{organization}/teams/{slug}"
        return _parent(self._api.read(token, path, deadline, "read:org").json_object(), team[0])


def _parent(team: Mapping[str, Any], organization: str) -> Team | None:
    return (organization, text_at(team, "parent", "slug")) if team.get("parent") else None


def _expiry(headers: Mapping[str, str]) -> float | None:
    """Read when a personal token ends: ``2026-12-01 10:00:00 UTC`` or with an offset."""
    text = headers.get("github-authentication-token-expiration", "").replace(" UTC", " +0000")
    try:
        return dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z").timestamp()
    except ValueError:
        return None
