"""``enrichment``: a directory that adds groups to what another authenticator says."""

from __future__ import annotations

from authsvc.authn.enrichment_settings import EnrichmentSettings, UnknownUsers
from authsvc.decoding.structs import Wire


class Enrichment(Wire, frozen=True):
    """``authenticator`` names the directory; ``stripPrefix`` is what its user names lack."""

    authenticator: str
    strip_prefix: str = ""
    unknown_users: UnknownUsers = UnknownUsers.REFUSE

    def to_settings(self) -> EnrichmentSettings:
        """Convert to the internal model."""
        return EnrichmentSettings(self.authenticator, self.strip_prefix, self.unknown_users)
