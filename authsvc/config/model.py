"""The configuration as the service knows it, whatever version its file was written in.

Plain values: paths are absolute, times are seconds, nothing is optional that
has a default. Every wire version (v1alpha1, …) converts to this.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from authsvc.attempts import Curve
from authsvc.authn.enrichment_settings import EnrichmentSettings
from authsvc.authn.forge.settings import GitHubSettings, GitLabSettings
from authsvc.authn.introspection.settings import IntrospectionSettings
from authsvc.authn.ldap.settings import LDAPSettings
from authsvc.authn.oidc.settings import OIDCSettings
from authsvc.authn.passwords_settings import StaticPasswordsSettings
from authsvc.authn.static_settings import StaticTokensSettings
from authsvc.issuer.settings import IssuedSettings, IssuerSettings
from authsvc.store.redis import RedisSettings
from authsvc.store.sqlite import SQLiteSettings


@dataclass(frozen=True, slots=True)
class TLSSettings:
    """The listener's certificate and what it asks of its clients.

    Reviews need a client certificate of ``client_ca_file``. With
    ``allowed_client_names`` empty any of that CA will do; else its common name
    or a DNS name of it must be listed.
    ``min_version``: ``VersionTLS12`` or ``VersionTLS13``.
    """

    cert_file: Path
    key_file: Path
    client_ca_file: Path
    allowed_client_names: frozenset[str]
    min_version: str


class Engine(Enum):
    """What carries requests to the application."""

    GUNICORN = "Gunicorn"
    GRANIAN = "Granian"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the service listens. ``tls`` None only on loopback."""

    bind: str
    tls: TLSSettings | None
    probes_bind: str | None
    workers: int
    threads: int
    keep_alive: float
    header_timeout: float
    body_timeout: float
    stop_timeout: float
    max_body: int
    max_connections: int
    engine: Engine = Engine.GUNICORN


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """How long a verdict about a token is kept, in seconds; ``size`` in tokens."""

    ttl: float
    rejected_ttl: float
    size: int


AuthenticatorSettings: TypeAlias = (
    GitHubSettings
    | GitLabSettings
    | IntrospectionSettings
    | IssuedSettings
    | LDAPSettings
    | OIDCSettings
    | StaticPasswordsSettings
    | StaticTokensSettings
)
"""Of each type of authenticator its own. Who tells them apart matches all of them."""


@dataclass(frozen=True, slots=True)
class NamedAuthenticator:
    """One provider of the chain: its name in logs and metrics, and its own settings."""

    name: str
    settings: AuthenticatorSettings
    enrichment: EnrichmentSettings | None = None


@dataclass(frozen=True, slots=True)
class AuthenticationSettings:
    """``audiences``: what this service vouches for; empty leaves it to the API server.

    ``password_attempts``: how guessing at one user is slowed.
    """

    audiences: tuple[str, ...]
    cache: CacheSettings
    authenticators: tuple[NamedAuthenticator, ...]
    password_attempts: Curve


class Mode(Enum):
    """Whether decisions bind (Enforce) or are only logged (Shadow)."""

    ENFORCE = "Enforce"
    SHADOW = "Shadow"


@dataclass(frozen=True, slots=True)
class AuthorizationSettings:
    """``policy_folder`` None: no policy, no opinion. ``model`` None: the shipped one."""

    mode: Mode
    policy_folder: Path | None
    model: Path | None


@dataclass(frozen=True, slots=True)
class IssuingSettings:
    """``passwords`` and ``exchange`` name authenticators: whose passwords and tokens are taken."""

    issuer: IssuerSettings
    passwords: tuple[str, ...]
    exchange: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """``decisions``: ``stdout``, ``off``, or a file."""

    level: str
    format: str
    decisions: str | Path


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of it. ``file`` is where it was read from.

    ``store`` None: nothing is shared by workers. ``issuing`` None: no tokens are issued.
    """

    file: Path
    server: ServerSettings
    authentication: AuthenticationSettings
    authorization: AuthorizationSettings
    logging: LoggingSettings
    store: SQLiteSettings | RedisSettings | None = None
    issuing: IssuingSettings | None = None
