"""GitLab: who a token belongs to, and which groups they are in, by full path.

The API: https://docs.gitlab.com/api/users/#get-the-current-user,
/api/groups/#list-groups, /api/oauth2/#retrieve-the-token-information. Members
of a group are members of all below it, and GitLab lists those as well.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from authsvc.authn.audiences import bound_audiences
from authsvc.authn.checks import Refused, Report
from authsvc.authn.claims import map_user
from authsvc.authn.forge.api import ForgeAPI, text_at
from authsvc.authn.forge.settings import GitLabSettings
from authsvc.authn.provider import ProviderAuthenticator
from authsvc.authn.routing import Route, route_prefix
from authsvc.interfaces import Identity

# An OAuth access token is 64 hexadecimal digits, without a prefix.
_OF_APPLICATIONS = re.compile(r"[0-9a-f]{64}")


class GitLabAuthenticator(ProviderAuthenticator):
    """Knows the members of groups by their GitLab tokens."""

    def __init__(
        self, settings: GitLabSettings, name: str = "gitlab", clock: Callable[[], float] = time.time
    ) -> None:
        """Prepare; nobody is asked yet. ``clock`` gives seconds since the epoch."""
        super().__init__(settings.http, name)
        self._settings = settings
        self._api = ForgeAPI(settings.url, self._http, settings.stale_while_limited, clock)

    def route(self, token: str) -> Route:
        """Take access tokens by their prefix, and those of OAuth applications where configured."""
        if self._settings.application_ids and _OF_APPLICATIONS.fullmatch(token):
            return Route(True, "it looks like a token of an OAuth application")
        return route_prefix(token, self._settings.token_prefixes)

    def _authenticate(self, token: str, audiences: Sequence[str], report: Report) -> Identity:
        deadline = self._http.deadline()
        if not token.startswith(self._settings.token_prefixes):
            self._check_application(token, deadline, report)
        user = self._api.read(token, "/api/v4/user", deadline, "read_user").json_object()
        if user.get("state") != "active" or user.get("locked"):
            raise Refused("user", f"{user.get('state')!r} or locked, not active")
        report("user", f"{user.get('username')}")
        # From Guest upwards: without a level GitLab lists public groups of others.
        path = "/api/v4/groups?min_access_level=10"
        listed = self._api.entries(token, path, deadline, "read_api")
        groups = sorted(filter(self._is_ours, (text_at(group, "full_path") for group in listed)))
        if not groups:
            wanted = ", ".join(self._settings.groups)
            raise Refused("group", f"not in {wanted}, as far as the token may tell")
        report("group", ", ".join(groups))
        mapped = map_user({**user, "groups": groups}, self._settings.mappings, report)
        bound = bound_audiences(audiences, self._settings.api_audiences, report)
        return Identity(mapped, bound)

    def _check_application(self, token: str, deadline: float, report: Report) -> None:
        """Check that the token was made for our application: others' owners hold theirs too."""
        info = self._api.read(token, "/oauth/token/info", deadline, "read_user").json_object()
        application = text_at(info, "application", "uid")
        if application not in self._settings.application_ids:
            raise Refused("application", f"it is a token of application {application!r}")
        report("application", application)

    def _is_ours(self, path: str) -> bool:
        return any(path == each or path.startswith(f"{each}/") for each in self._settings.groups)
