"""What a directory adds to an identity that somebody else vouched for.

A provider of tokens knows who somebody is; the directory knows whether they
still are, and in which groups. The directory is asked for each identity anew,
so a user who is disabled there is refused as soon as the cache forgets them,
whatever their token says.
"""

from __future__ import annotations

from collections.abc import Sequence

from authsvc.authn.checks import (
    Explanation,
    Refused,
    Report,
    explain,
    explanation,
    verdict,
)
from authsvc.authn.enrichment_settings import EnrichmentSettings, UnknownUsers
from authsvc.interfaces import Identity, TokenAuthenticator, UserLookup


class EnrichedTokenAuthenticator:
    """Adds the groups that a directory knows, and refuses those it does not know."""

    def __init__(
        self,
        authenticator: TokenAuthenticator,
        users: UserLookup,
        settings: EnrichmentSettings,
        name: str,
    ) -> None:
        self._authenticator = authenticator
        self._users = users
        self._settings = settings
        self._name = name

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """Return whose token this is, with the groups of the directory.

        Raises:
            BackendError: the provider or the directory could not answer.
        """
        identity = self._authenticator.authenticate_token(token, audiences)
        if identity is None:
            return None
        return verdict(self._name, lambda report: self._enrich(identity, report))

    def explain(self, token: str, audiences: Sequence[str]) -> Explanation:
        """Authenticate the token and tell each step."""
        before = explain(self._authenticator, token, audiences)
        known = before.identity
        if known is None:
            return before
        after = explanation(lambda report: self._enrich(known, report))
        return Explanation(before.checks + after.checks, after.identity)

    def _enrich(self, identity: Identity, report: Report) -> Identity:
        directory = self._settings.authenticator
        username = identity.user.username.removeprefix(self._settings.strip_prefix)
        found = self._users.lookup(username)
        if found is None:
            if self._settings.unknown_users is UnknownUsers.REFUSE:
                raise Refused("directory", f"{directory} does not know {username}, or no longer")
            report("directory", f"{directory} does not know {username}")
            return identity
        groups = ", ".join(found.groups) or "no group"
        report("directory", f"{directory} knows {username}: {groups}")
        user = identity.user
        together = tuple(sorted({*user.groups, *found.groups}))
        return identity._replace(user=user._replace(groups=together))
