"""The keys of a provider: fetched by discovery, kept, and fetched anew before they go stale.

Keys come from the configured addresses only. They are fetched when the service
starts and then in the background; a token with an unknown key id fetches them
at once, but no more than once in ``refetch_interval``, so that made-up key ids
cost the provider nothing. While the provider is down the last keys stay.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog
from joserfc.jwk import Key

from authsvc import metrics
from authsvc.authn.http import HTTPClient
from authsvc.authn.oidc.jws import keys_for, read_keys
from authsvc.authn.oidc.settings import OIDCSettings
from authsvc.background import Background
from authsvc.errors import BackendError

_FIRST_RETRY_SECONDS = 2.0

_log = structlog.get_logger()


class _Fetched(NamedTuple):
    """One attempt to fetch: when it ended (monotonic clock), and its failure if it was one."""

    at: float
    error: BackendError | None


class ProviderKeys:
    """The keys of one provider, shared by threads."""

    def __init__(
        self,
        settings: OIDCSettings,
        client: HTTPClient,
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._client = client
        self._name = name
        self._clock = clock
        self._keys: tuple[Key, ...] = ()
        self._last: _Fetched | None = None
        self._fetching = threading.Lock()
        self._background = Background(f"keys-{name}", self._refresh)

    def find(self, kid: str | None, algorithm: str) -> tuple[Key, ...]:
        """Return the keys a token may be signed with; none where the provider has no such key.

        Raises:
            BackendError: the key is not known and the provider cannot be asked.
        """
        found = keys_for(self._keys, kid, algorithm)
        if found:
            return found
        self._refetch()
        return keys_for(self._keys, kid, algorithm)

    def start(self) -> None:
        """Fetch in the background from now on."""
        self._background.start()

    def close(self) -> None:
        """Stop fetching."""
        self._background.close()

    def _refetch(self) -> None:
        """Fetch, unless that was just done; whoever comes meanwhile waits for that one fetch."""
        asked_at = self._clock()
        with self._fetching:
            last = self._last
            if last is None or last.at < asked_at - self._settings.refetch_interval:
                last = self._fetch()
        if last.error is not None:
            raise BackendError(str(last.error))

    def _fetch(self) -> _Fetched:
        error: BackendError | None = None
        try:
            self._keys = self._ask()
            metrics.KEYS_FETCHED.labels(self._name).set_to_current_time()
        except Exception as failure:  # noqa: BLE001  whatever was sent, the last keys must stay
            error = (
                failure
                if isinstance(failure, BackendError)
                else BackendError(f"{type(failure).__name__} while reading")
            )
            _log.warning(
                "keys_not_fetched",
                authenticator=self._name,
                kept=len(self._keys),
                error=str(error),
                exc_info=error is not failure,
            )
        self._last = _Fetched(self._clock(), error)
        return self._last

    def _ask(self) -> tuple[Key, ...]:
        deadline = self._client.deadline()
        url = self._settings.jwks_url or self._discover(deadline)
        response = self._client.get(url, deadline=deadline)
        if response.status != 200:
            raise BackendError(f"{response.url}: status {response.status}")
        try:
            return read_keys(response.json())
        except ValueError as error:
            raise BackendError(f"{response.url}: {error}") from None

    def _discover(self, deadline: float) -> str:
        """Return the address of the keys (OpenID Connect Discovery 1.0, 4)."""
        issuer = self._settings.issuer
        url = self._settings.discovery_url
        response = self._client.get(
            url or issuer.rstrip("/") + "/.well-known/openid-configuration", deadline=deadline
        )
        if response.status != 200:
            raise BackendError(f"{response.url}: status {response.status}")
        document = response.json_object()
        if document.get("issuer") != issuer:
            raise BackendError(f"{response.url}: it is of issuer {document.get('issuer')!r}")
        found = document.get("jwks_uri")
        if not isinstance(found, str):
            raise BackendError(f"{response.url}: without a jwks_uri")
        # Plain http is for a provider on this machine, which is for its
        # configuration to say: one elsewhere must not send us to ports in here.
        if response.url.startswith("https:") and not found.startswith("https:"):
            raise BackendError(f"{response.url}: its jwks_uri is not https")
        return found

    def _refresh(self) -> None:
        failures = 0
        while True:
            with self._fetching:
                fetched = self._fetch()
            interval = self._settings.refresh_interval
            failures = failures + 1 if fetched.error else 0
            if failures:
                interval = min(interval, _FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 16))
            # Workers and replicas that started together spread out.
            if self._background.wait(interval * random.uniform(0.8, 1.0)):  # noqa: S311
                return
