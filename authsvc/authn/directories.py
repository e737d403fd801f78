"""The directories that people log in with, as one: who checks passwords, who knows users.

What the issuer asks for its token endpoint and ``issued`` for each review. A
directory's name goes into a session, so that its users are looked up where
they came from and nowhere else.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from authsvc.attempts import TooManyAttemptsError
from authsvc.authn.guard import guard_user
from authsvc.errors import BackendError
from authsvc.interfaces import PasswordAuthenticator, UserInfo, UserLookup

_MAX_FACTS = 100_000
_RETRY_AFTER = 5.0  # seconds

_log = structlog.get_logger()


class Directory(NamedTuple):
    """One directory under its name in the configuration."""

    name: str
    passwords: PasswordAuthenticator
    users: UserLookup


class Fact(NamedTuple):
    """What a directory said of a user, None for gone or disabled; when, and until when it holds."""

    user: UserInfo | None
    said_at: float
    fresh_until: float


class Directories:
    """Asks directories in order for passwords, and by name for users.

    ``ttl``: seconds that what was said of a user is believed; ``stale``: how
    much longer while the directory cannot answer.
    """

    def __init__(
        self,
        directories: Sequence[Directory],
        clock: Callable[[], float],
        *,
        ttl: float = 60.0,
        stale: float = 0.0,
    ) -> None:
        self._directories = {directory.name: directory for directory in directories}
        self._clock = clock
        self._ttl = ttl
        self._stale = stale
        self._lock = threading.Lock()
        self._facts: OrderedDict[tuple[str, str], Fact] = OrderedDict()

    def authenticate_password(self, username: str, password: str) -> tuple[str, UserInfo] | None:
        """Return whose password this is and the name of the directory that says so.

        Raises:
            TooManyAttemptsError: no directory knew it and one would not try.
            BackendError: no directory knew it and one could not answer.
        """
        failure: BackendError | None = None
        for name, directory in self._directories.items():
            try:
                user = directory.passwords.authenticate_password(username, password)
            except BackendError as error:
                if not isinstance(error, TooManyAttemptsError):
                    _log.error("directory_failed", directory=name, error=str(error))
                failure = failure or error
                continue
            user = guard_user(user, name) if user is not None else None
            if user is not None:
                self._remember(name, user.username, user)
                return name, user
        if failure is not None:
            raise failure
        return None

    def lookup(self, directory: str, username: str) -> Fact:
        """Return what is true of a user now, as far as ``ttl`` allows.

        Raises:
            BackendError: the directory cannot answer, or is no longer configured.
        """
        known = self._facts.get((directory, username))
        now = self._clock()
        if known is not None and now < known.fresh_until:
            return known
        try:
            return self.ask(directory, username)
        except BackendError:
            if known is None or now >= known.said_at + self._ttl + self._stale:
                raise
            # Not asked again for each request, nor believed for long.
            return self._keep(directory, username, known._replace(fresh_until=now + _RETRY_AFTER))

    def ask(self, directory: str, username: str) -> Fact:
        """Return what is true of a user now; the directory itself is asked."""
        found = self._directories.get(directory)
        if found is None:
            raise BackendError(f"directory {directory!r} is not configured")
        user = found.users.lookup(username)
        if user is not None:
            user = guard_user(user, directory)
        if user is not None and user.username != username:
            # Somebody else's account under a name that was given away.
            _log.warning("user_renamed_refused", directory=directory, user=username)
            user = None
        return self._remember(directory, username, user)

    def _remember(self, directory: str, username: str, user: UserInfo | None) -> Fact:
        now = self._clock()
        return self._keep(directory, username, Fact(user, now, now + self._ttl))

    def _keep(self, directory: str, username: str, fact: Fact) -> Fact:
        with self._lock:
            self._facts[directory, username] = fact
            self._facts.move_to_end((directory, username))
            while len(self._facts) > _MAX_FACTS:
                self._facts.popitem(last=False)
        return fact
