"""``type: GitHub`` and ``type: GitLab``: tokens of code forges."""

from __future__ import annotations

import msgspec

from authsvc.authn.claims import ClaimMappings
from authsvc.authn.forge.settings import GitHubApp, GitHubSettings, GitLabSettings, mappings
from authsvc.config.v1alpha1.claims import Mappings
from authsvc.config.v1alpha1.http import HTTP, checked_url
from authsvc.decoding.structs import Duration, Place, Wire, seconds


class App(Wire, frozen=True):
    """A GitHub or OAuth App, whose users' tokens are taken as well."""

    client_id: str = msgspec.field(name="clientID")
    client_secret_file: str


class GitHub(Wire, frozen=True):
    """github.com, or an Enterprise Server with the URL https://HOST/api/v3."""

    organizations: tuple[str, ...]
    url: str = "https://api.github.com"
    teams: bool = True
    app: App | None = None
    claim_mappings: Mappings | None = None
    api_audiences: tuple[str, ...] = msgspec.field(name="apiAudiences", default=())
    stale_while_limited: Duration = "5m"
    http: HTTP = HTTP()

    def to_settings(self, at: Place) -> GitHubSettings:
        """Convert to the internal model."""
        _check_names(self.organizations, at.field("organizations"))
        app = None
        if self.app is not None:
            file = (
                at.field("app").field("clientSecretFile").existing_file(self.app.client_secret_file)
            )
            app = GitHubApp(self.app.client_id, file)
        return GitHubSettings(
            organizations=self.organizations,
            url=checked_url(self.url, at.field("url")),
            teams=self.teams,
            app=app,
            mappings=_mappings(self.claim_mappings, at, mappings("login", "github:")),
            api_audiences=self.api_audiences,
            stale_while_limited=seconds(self.stale_while_limited),
            http=self.http.to_settings(at.field("http")),
        )


class GitLab(Wire, frozen=True):
    """gitlab.com, or a self-managed one by its address."""

    groups: tuple[str, ...]
    url: str = "https://gitlab.com"
    token_prefixes: tuple[str, ...] = ("glpat-",)
    application_ids: tuple[str, ...] = msgspec.field(name="applicationIDs", default=())
    claim_mappings: Mappings | None = None
    api_audiences: tuple[str, ...] = msgspec.field(name="apiAudiences", default=())
    stale_while_limited: Duration = "5m"
    http: HTTP = HTTP()

    def to_settings(self, at: Place) -> GitLabSettings:
        """Convert to the internal model."""
        _check_names(self.groups, at.field("groups"))
        _check_names(self.token_prefixes, at.field("tokenPrefixes"))
        return GitLabSettings(
            groups=self.groups,
            url=checked_url(self.url, at.field("url")),
            token_prefixes=self.token_prefixes,
            application_ids=self.application_ids,
            mappings=_mappings(self.claim_mappings, at, mappings("username", "gitlab:")),
            api_audiences=self.api_audiences,
            stale_while_limited=seconds(self.stale_while_limited),
            http=self.http.to_settings(at.field("http")),
        )


def _check_names(names: tuple[str, ...], at: Place) -> None:
    if not names or not all(names):
        at.error("at least one is required, and none may be empty")


def _mappings(given: Mappings | None, at: Place, usual: ClaimMappings) -> ClaimMappings:
    return usual if given is None else given.to_settings(at.field("claimMappings"))
