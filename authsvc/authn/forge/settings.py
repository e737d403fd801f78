"""What is to be configured about a forge, whatever file it stood in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from authsvc.authn.claims import ClaimMapping, ClaimMappings, GroupsMapping
from authsvc.authn.http_settings import HTTPSettings


def mappings(name: str, prefix: str) -> ClaimMappings:
    """Return the usual mappings: the name and the groups prefixed, the numeric id as uid."""
    return ClaimMappings(
        username=ClaimMapping(name, prefix),
        groups=GroupsMapping(ClaimMapping("groups", prefix)),
        uid=ClaimMapping("id"),
    )


@dataclass(frozen=True, slots=True)
class GitHubApp:
    """An OAuth or GitHub App whose users' tokens (gho_, ghu_) are taken as well."""

    client_id: str
    client_secret_file: Path


@dataclass(frozen=True, slots=True)
class GitHubSettings:
    """github.com or an Enterprise Server (``url`` then ends in ``/api/v3``).

    ``organizations``: a user must be in one of them. ``teams``: whether teams
    become groups, as ``organization:team``, beside ``organization``.
    ``stale_while_limited``: seconds for which the last answers about a token
    are good while GitHub's rate limit forbids to ask again.
    """

    organizations: tuple[str, ...]
    url: str = "https://api.github.com"
    teams: bool = True
    app: GitHubApp | None = None
    mappings: ClaimMappings = field(default_factory=lambda: mappings("login", "github:"))
    api_audiences: tuple[str, ...] = ()
    stale_while_limited: float = 300.0
    http: HTTPSettings = field(default_factory=HTTPSettings)


@dataclass(frozen=True, slots=True)
class GitLabSettings:
    """gitlab.com or a self-managed one; ``url`` is the address of its pages.

    ``groups``: full paths; a user must be in one of them or below it.
    ``token_prefixes``: of personal, project and group access tokens.
    ``application_ids``: OAuth applications whose users' tokens are taken as
    well. ``stale_while_limited`` as for GitHub.
    """

    groups: tuple[str, ...]
    url: str = "https://gitlab.com"
    token_prefixes: tuple[str, ...] = ("glpat-",)
    application_ids: tuple[str, ...] = ()
    mappings: ClaimMappings = field(default_factory=lambda: mappings("username", "gitlab:"))
    api_audiences: tuple[str, ...] = ()
    stale_while_limited: float = 300.0
    http: HTTPSettings = field(default_factory=HTTPSettings)
