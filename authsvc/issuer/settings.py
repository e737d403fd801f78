"""What an issuer is told; times in seconds, defaults as in the configuration file."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from authsvc.attempts import Curve

PASSWORD = "password"  # noqa: S105  the name of a grant (RFC 6749 4.3)
REFRESH_TOKEN = "refresh_token"  # noqa: S105  the name of a grant (RFC 6749 6)
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105  RFC 8693
GRANTS = frozenset({PASSWORD, REFRESH_TOKEN, TOKEN_EXCHANGE})

DEFAULT_CLIENT = "kubectl-authsvc"


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """An OAuth client. ``secret_file`` None: a public one, such as a program on a laptop."""

    id: str
    grants: frozenset[str] = GRANTS
    secret_file: Path | None = None


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """One issuer.

    ``url`` is the ``iss`` of its tokens, exactly, and where its endpoints are.
    ``audience`` is what its tokens are for; a client may ask for one of
    ``audiences`` instead, and gets a token that only the API servers of that
    audience take. A session ends ``session_idle`` after its last use and
    ``session_length`` after the login. Within ``refresh_grace`` of a rotation
    the refresh token before it is answered as it was (a lost answer); after
    that its use ends the session. ``facts_ttl``: how long what the directory
    said of a user is believed; ``facts_stale``: how much longer while the
    directory cannot answer. ``trusted_proxies``: whose X-Forwarded-For counts.
    """

    url: str
    keys: Path
    audience: str = "kubernetes"
    audiences: tuple[str, ...] = ()
    clients: tuple[ClientSettings, ...] = (ClientSettings(DEFAULT_CLIENT),)
    takes_passwords: bool = True
    groups_in_token: bool = True
    access_token_ttl: float = 600.0
    session_idle: float = 12 * 3600.0
    session_length: float = 7 * 86400.0
    refresh_grace: float = 30.0
    clock_skew: float = 30.0
    facts_ttl: float = 60.0
    facts_stale: float = 0.0
    address_attempts: Curve = field(
        default_factory=lambda: Curve(
            free=50, first_wait=1.0, longest_wait=300.0, forget_after=900.0
        )
    )
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()

    @property
    def key_overlap(self) -> float:
        """How long a superseded key goes on verifying: as long as its last token lives."""
        return self.access_token_ttl + 2 * self.clock_skew


@dataclass(frozen=True, slots=True)
class IssuedSettings:
    """An authenticator of the issuer's tokens. There is nothing to set: all is the issuer's."""
