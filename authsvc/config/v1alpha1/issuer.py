"""``issuer``: tokens that authsvc itself signs, and the two authenticator types beside it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from authsvc.authn.passwords_settings import StaticPasswordsSettings
from authsvc.config.model import IssuingSettings
from authsvc.config.v1alpha1.attempts import Attempts
from authsvc.config.v1alpha1.secrets import secret_file
from authsvc.decoding.structs import Duration, Place, Wire, readable, seconds
from authsvc.issuer.settings import (
    DEFAULT_CLIENT,
    PASSWORD,
    REFRESH_TOKEN,
    TOKEN_EXCHANGE,
    ClientSettings,
    IssuedSettings,
    IssuerSettings,
)

KNOW_PEOPLE = {"LDAP", "StaticPasswords"}
"""Types that check passwords and look users up, for the issuer and for other authenticators."""

KNOW_NO_TOKENS = {"Issued", "StaticPasswords"}
"""Types that know no tokens but those of the issuer."""

_GRANTS = {
    "Password": PASSWORD,
    "RefreshToken": REFRESH_TOKEN,
    "TokenExchange": TOKEN_EXCHANGE,
}


class StaticPasswords(Wire, frozen=True):
    """Users and their hashed passwords in a file; for the issuer, not for bearer tokens."""

    file: str

    def to_settings(self, at: Place) -> StaticPasswordsSettings:
        """Convert to the internal model."""
        return StaticPasswordsSettings(at.field("file").existing_file(self.file))


class Issued(Wire, frozen=True):
    """The tokens of ``issuer``; there is nothing to say about them here."""

    def to_settings(self, at: Place) -> IssuedSettings:  # noqa: ARG002  as of every authenticator
        """Convert to the internal model."""
        return IssuedSettings()


class Client(Wire, frozen=True):
    """An OAuth client; one without a ``secretFile`` is public, as a program on a laptop is."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]+$", max_length=128)]
    grants: tuple[Literal["Password", "RefreshToken", "TokenExchange"], ...] = (
        "Password",
        "RefreshToken",
        "TokenExchange",
    )
    secret_file: str = ""

    def to_settings(self, at: Place) -> ClientSettings:
        """Convert to the internal model."""
        secret = None
        if self.secret_file:
            secret = secret_file(self.secret_file, at.field("secretFile"))
        grants = frozenset(_GRANTS[grant] for grant in self.grants)
        return ClientSettings(self.id, grants, secret)


class Tokens(Wire, frozen=True):
    """Access tokens. ``groups`` False: neither groups nor extra, where only authsvc verifies."""

    ttl: Duration = "10m"
    groups: bool = True
    clock_skew: Duration = "30s"


class Sessions(Wire, frozen=True):
    """How long people stay logged in."""

    idle: Duration = "12h"
    length: Duration = "168h"
    refresh_grace: Duration = "30s"


class Facts(Wire, frozen=True):
    """How long what a directory said is believed; ``stale``: longer, while it does not answer."""

    ttl: Duration = "60s"
    stale: Duration = "0s"


class Issuer(Wire, frozen=True):
    """Who issues tokens, to whom, for what."""

    url: str
    keys: str
    passwords: tuple[str, ...] = ()
    exchange: tuple[str, ...] = ()
    audience: Annotated[str, msgspec.Meta(min_length=1)] = "kubernetes"
    audiences: tuple[str, ...] = ()
    clients: tuple[Client, ...] = (Client(id=DEFAULT_CLIENT),)
    tokens: Tokens = Tokens()
    sessions: Sessions = Sessions()
    directory: Facts = Facts()
    address_attempts: Attempts = Attempts(
        free=50, first_wait="1s", longest_wait="5m", forget_after="15m"
    )
    trusted_proxies: tuple[str, ...] = ()

    def to_settings(self, at: Place, types: Mapping[str, str]) -> IssuingSettings:
        """Convert to the internal model; ``types`` of the configured authenticators, by name."""
        self._check_url(at.field("url"))
        self._check_names(at, types)
        settings = IssuerSettings(
            url=self.url,
            keys=self._keys(at.field("keys")),
            audience=self.audience,
            audiences=self.audiences,
            clients=self._clients(at.field("clients")),
            takes_passwords=bool(self.passwords),
            groups_in_token=self.tokens.groups,
            access_token_ttl=seconds(self.tokens.ttl),
            session_idle=seconds(self.sessions.idle),
            session_length=seconds(self.sessions.length),
            refresh_grace=seconds(self.sessions.refresh_grace),
            clock_skew=seconds(self.tokens.clock_skew),
            facts_ttl=seconds(self.directory.ttl),
            facts_stale=seconds(self.directory.stale),
            address_attempts=self.address_attempts.to_settings(at.field("addressAttempts")),
            trusted_proxies=self._proxies(at.field("trustedProxies")),
        )
        _check_times(settings, at)
        return IssuingSettings(settings, self.passwords, self.exchange)

    def _keys(self, at: Place) -> Path:
        folder = at.file(self.keys)
        if not folder.exists():
            at.error(f"{folder}: no such folder; `authsvc keys rotate` makes it and the first key")
        elif not folder.is_dir():
            at.error(f"{folder}: not a folder")
        return folder

    def _check_url(self, at: Place) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname or parts.username is not None:
            at.error("expected https://host or https://host:port, as people reach this service")
        elif parts.path or parts.query or parts.fragment:
            at.error("must end with the host or port: verifiers compare it letter by letter")

    def _check_names(self, at: Place, types: Mapping[str, str]) -> None:
        if not self.passwords and not self.exchange:
            at.field("passwords").error("nobody could log in: name an authenticator, or exchange")
        for field, names in (("passwords", self.passwords), ("exchange", self.exchange)):
            for index, name in enumerate(names):
                place, type_ = at.field(field).item(index), types.get(name)
                if type_ is None:
                    place.error(f"no authenticator is called {name!r}")
                elif field == "passwords" and type_ not in KNOW_PEOPLE:
                    place.error(f"{name!r} is of type {type_}, which checks no passwords")
                elif field == "exchange" and type_ in KNOW_NO_TOKENS:
                    place.error(f"{name!r} is of type {type_}, whose tokens are not exchanged")

    def _clients(self, at: Place) -> tuple[ClientSettings, ...]:
        clients: dict[str, ClientSettings] = {}
        for index, client in readable(self.clients):
            if client.id in clients:
                at.item(index).field("id").error(f"{client.id!r} is given twice")
            clients[client.id] = client.to_settings(at.item(index))
        if not clients:
            at.error("without a client nobody can ask for a token")
        return tuple(clients.values())

    def _proxies(self, at: Place) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        networks = []
        for index, text in enumerate(self.trusted_proxies):
            try:
                networks.append(ipaddress.ip_network(text))
            except ValueError as error:
                at.item(index).error(f"expected an address or a network: {error}")
        return tuple(networks)


def _check_times(settings: IssuerSettings, at: Place) -> None:
    if not 60 <= settings.access_token_ttl <= 86400:
        at.field("tokens").field("ttl").error("must be between 1m and 24h")
    if settings.clock_skew > 300:
        at.field("tokens").field("clockSkew").error("must be at most 5m")
    sessions = at.field("sessions")
    if not settings.access_token_ttl <= settings.session_idle <= settings.session_length:
        sessions.field("idle").error("must not be under tokens.ttl nor over sessions.length")
    if settings.refresh_grace > settings.access_token_ttl:
        sessions.field("refreshGrace").error("must not be over tokens.ttl")
    if not 0 < settings.facts_ttl <= 3600:
        at.field("directory").field("ttl").error("must be over 0s and at most 1h")
