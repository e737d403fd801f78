"""The issuer: who may have a token, and the token. No protocol here; see ``grants``."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog

from authsvc.attempts import AttemptCounter, address_key, counted, user_key
from authsvc.errors import AuthsvcError
from authsvc.interfaces import TokenAuthenticator, UserInfo
from authsvc.issuer import keys, refresh
from authsvc.issuer.clients import Client, Clients, Credentials
from authsvc.issuer.keys import KeyRing
from authsvc.issuer.refresh import RefreshToken
from authsvc.issuer.revocations import Revocations
from authsvc.issuer.sessions import Sessions
from authsvc.issuer.settings import IssuerSettings
from authsvc.issuer.tokens import AccessToken, AccessTokens
from authsvc.reloading import Reloading
from authsvc.store.attempts import StoreAttemptCounter
from authsvc.store.protocol import Session, Store

_MAX_CREDENTIAL = 1024  # characters; a longer one is nobody's
# Of the 16 KiB above which no TokenReview takes a token; the rest is for the other claims.
_MAX_GROUPS_AND_EXTRA = 14 * 1024

# Made before the fork, so all workers have the same; it lasts until the restart.
_MARK_KEY = secrets.token_bytes(32)

_log = structlog.get_logger()


class TokenTooLargeError(AuthsvcError):
    """The user has more groups and extra than a token can hold."""

    def __init__(self) -> None:
        super().__init__(
            "too many groups, or too much extra, for a token;"
            " issuer.tokens.groups: false leaves them out"
        )


class Fact(Protocol):
    """What a directory says of a user now: None for gone or disabled."""

    @property
    def user(self) -> UserInfo | None: ...


class Directories(Protocol):
    """The directories that people log in with (authsvc.authn.directories)."""

    def authenticate_password(self, username: str, password: str) -> tuple[str, UserInfo] | None:
        """Return the directory that knows this password, and whose it is."""
        ...

    def ask(self, directory: str, username: str) -> Fact:
        """Return what is true of a user now."""
        ...


class Issued(NamedTuple):
    """An answer of the token endpoint. ``expires_in`` in seconds."""

    access_token: str
    expires_in: int
    refresh_token: str | None = None


class Caller(NamedTuple):
    """Who asks: an authenticated client, and the address that it asks from."""

    client: Client
    address: str


class Issuer:
    """Gives tokens for passwords, for refresh tokens and for tokens of others.

    ``exchangeable`` knows the tokens that may be exchanged; None for none. Any
    method may raise BackendError: something that has to be asked cannot answer,
    nothing was changed, and the same request is good later. ``files`` are to be
    loaded before anything is asked.
    """

    def __init__(
        self,
        settings: IssuerSettings,
        store: Store,
        directories: Directories,
        exchangeable: TokenAuthenticator | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.store = store
        self.keys: Reloading[KeyRing] = Reloading(
            "issuer-keys", lambda: keys.load(settings.keys, settings.key_overlap), [settings.keys]
        )
        self.clients = Clients(settings.clients)
        self.files: tuple[Reloading[Any], ...] = (self.keys, *self.clients.files)
        self.revocations = Revocations(store, clock)
        self.sessions = Sessions(settings, store, self.revocations, clock)
        audiences = frozenset({settings.audience, *settings.audiences})
        self.tokens = AccessTokens(
            settings.url,
            audiences,
            lambda: self.keys.current,
            clock,
            settings.access_token_ttl,
            settings.clock_skew,
        )
        self.clock = clock
        self._audiences = audiences
        self._directories = directories
        self._exchangeable = exchangeable
        self._addresses: AttemptCounter = StoreAttemptCounter(
            store, settings.address_attempts, clock
        )

    def start(self) -> None:
        """Start reading revocations; ``files`` are followed by whoever follows files."""
        self.revocations.start()

    def close(self) -> None:
        """Stop reading them."""
        self.revocations.close()

    def issues_for(self, audience: str) -> bool:
        """Whether tokens for this audience are given out."""
        return audience in self._audiences

    @property
    def exchanges(self) -> bool:
        """Whether there are tokens that may be exchanged."""
        return self._exchangeable is not None

    def client(self, credentials: Credentials, address: str) -> Client | None:
        """Return the client that asks from an address; None where it does not prove who it is.

        Raises:
            TooManyAttemptsError: too many secrets from this address were wrong.
        """
        if credentials.secret is None:
            return self.clients.authenticate(credentials)
        return counted(
            self._addresses,
            # Apart from the passwords that people mistype at this client.
            f"client/{address_key(address)}",
            lambda: self.clients.authenticate(credentials),
            clears=False,
        )

    def log_in(self, caller: Caller, username: str, password: str, audience: str) -> Issued | None:
        """Open a session for a user name and a password; None where they are not good.

        Raises:
            TooManyAttemptsError: too many were not, of this user or from this address.
            TokenTooLargeError: as from every method that gives a token.
        """

        def attempt() -> tuple[str, UserInfo] | None:
            if not 0 < len(username) <= _MAX_CREDENTIAL or not 0 < len(password) <= _MAX_CREDENTIAL:
                return None
            return self._directories.authenticate_password(username, password)

        found = counted(self._addresses, address_key(caller.address), attempt, clears=False)
        if found is None:
            _log.info("login_failed", login=_mark(username), **_describe(caller))
            return None
        directory, user = found
        self._check_size(user, directory)
        client, address = caller.client.id, caller.address
        session, token = self.sessions.open(user.username, directory, client, address, audience)
        return self._issue(session, user, token)

    def refresh(self, caller: Caller, refresh_token: str) -> Issued | None:
        """Go on with a session; None where the token is not good or the user is gone."""
        token = refresh.parse(refresh_token)
        session = self.sessions.find(token) if token is not None else None
        if token is None or session is None or session.client != caller.client.id:
            return None
        if not self.sessions.check(session, token):
            return None
        # The directory first: when it cannot answer, the token is as good as before.
        user = self._directories.ask(session.directory, session.username).user
        if user is None:
            _log.info("user_gone_session_ended", session=session.id, user=session.username)
            self.sessions.end(session)
            return None
        self._check_size(user, session.directory)
        rotated = self.sessions.rotate(session, token, caller.address)
        return None if rotated is None else self._issue(rotated[0], user, rotated[1])

    def exchange(self, caller: Caller, subject_token: str, audience: str) -> Issued | None:
        """Give a token for somebody else's, good for no longer than that one.

        There is no refresh token: whoever asks again must still have the other token.
        A token that is good for some audiences only is exchanged for those alone.
        """
        if self._exchangeable is None or self.tokens.verify(subject_token) is not None:
            return None
        exchangeable = self._exchangeable

        identity = counted(
            self._addresses,
            address_key(caller.address),
            lambda: exchangeable.authenticate_token(subject_token, (audience,)),
            clears=False,
        )
        if identity is None:
            return None
        self._check_size(identity.user, directory="")
        ends_at = self.clock() + self.settings.access_token_ttl
        ends_at = min(ends_at, identity.expires_at or ends_at)
        session = self.sessions.open_short(
            identity.user.username, caller.client.id, caller.address, audience, ends_at
        )
        return self._issue(session, identity.user, None)

    def session_of(self, token: str) -> Session | None:
        """Return the live session of a refresh or access token, None where it has none."""
        refresh_token = refresh.parse(token)
        if refresh_token is not None:
            return self.sessions.find(refresh_token)
        access_token = self.tokens.verify(token)
        return None if access_token is None else self.store.find(access_token.session_id)

    def _with_groups(self, directory: str) -> bool:
        # Without a directory nobody can be asked for a user's groups later.
        return self.settings.groups_in_token or not directory

    def _check_size(self, user: UserInfo, directory: str) -> None:
        """Refuse what no review would take, before a session is made or a token used up.

        Neither groups nor extra are left out silently: a rule may deny by one of them.
        """
        if self._with_groups(directory):
            facts = (user.groups, dict(user.extra))
            size = len(msgspec.json.encode(facts)) * 4 // 3
            if size > _MAX_GROUPS_AND_EXTRA:
                _log.error(
                    "token_too_large",
                    user=user.username,
                    groups=len(user.groups),
                    extra=sorted(user.extra),
                )
                raise TokenTooLargeError

    def _issue(self, session: Session, user: UserInfo, token: RefreshToken | None) -> Issued:
        now = int(self.clock())
        expires_at = min(now + int(self.settings.access_token_ttl), int(session.ends_at))
        access_token = self.tokens.sign(
            AccessToken(
                user,
                session.audience,
                session.client,
                session.id,
                session.directory,
                now,
                expires_at,
            ),
            with_groups=self._with_groups(session.directory),
        )
        text = token.text() if token is not None else None
        return Issued(access_token, expires_at - now, text)


def _mark(username: str) -> str:
    """Return what tells that a name was typed again, and nothing else.

    People type their password there. So this is no digest, which whoever reads
    the log could guess it by, but a MAC under a key that nobody has.
    """
    return hmac.digest(_MARK_KEY, user_key(username).encode(), "sha256").hex()[:16]


def _describe(caller: Caller) -> dict[str, str]:
    return {"client": caller.client.id, "address": caller.address}
