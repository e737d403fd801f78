"""The directory as the source of identities: passwords, password tokens, known users.

A cold authentication is a search for the entry, a bind with the password and
the search for groups, each at whichever server answers, all before one deadline.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog

from authsvc import metrics
from authsvc.attempts import AttemptCounter, TooManyAttemptsError, counted, user_key
from authsvc.authn.deadline import Deadline
from authsvc.authn.ldap import status
from authsvc.authn.ldap.connection import (
    CONSTRAINT_VIOLATION,
    INAPPROPRIATE_AUTHENTICATION,
    INVALID_CREDENTIALS,
    INVALID_DN_SYNTAX,
    NO_SUCH_OBJECT,
    SUCCESS,
    UNWILLING_TO_PERFORM,
)
from authsvc.authn.ldap.directory import Directory
from authsvc.authn.ldap.entry import Entry
from authsvc.authn.ldap.errors import RefusedError
from authsvc.authn.ldap.groups import GroupFinder
from authsvc.authn.ldap.names import normalise_dn
from authsvc.authn.ldap.settings import AccountStatus, LDAPSettings
from authsvc.authn.ldap.users import Users
from authsvc.errors import BackendError
from authsvc.interfaces import Identity, UserInfo

MAX_USERNAME = 256
REJECTION_STEP = 0.05  # seconds
_TURNS = 64

_REJECTED = frozenset(
    {INVALID_CREDENTIALS, INAPPROPRIATE_AUTHENTICATION, NO_SUCH_OBJECT, INVALID_DN_SYNTAX}
)
# 389 Directory Server: too many failures; account inactivated.
_REJECTED_BY_389 = _REJECTED | {CONSTRAINT_VIOLATION, UNWILLING_TO_PERFORM}

_log = structlog.get_logger()


def _now() -> datetime:
    return datetime.now(UTC)


class LDAPAuthenticator:
    """Knows the users of one directory.

    It is a PasswordAuthenticator, a UserLookup and, where ``password_tokens``
    is set, a TokenAuthenticator. ``attempts`` counts wrong passwords by entry,
    however its name was spelled.
    """

    def __init__(
        self,
        settings: LDAPSettings,
        attempts: AttemptCounter,
        name: str = "ldap",
        *,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._settings = settings
        self._attempts = attempts
        self._name = name
        self._clock = clock
        self._directory = Directory(settings, name)
        self._users = Users(settings, self._directory)
        self._groups = GroupFinder(settings.groups, settings.groups_prefix, self._directory)
        locks_by_result = AccountStatus.NS_ACCOUNT_LOCK in settings.account_status
        self._rejected = _REJECTED_BY_389 if locks_by_result else _REJECTED
        self._turns = tuple(threading.Lock() for _ in range(_TURNS))

    def start(self) -> None:
        """Take up work; connections are opened when they are needed."""
        self._directory.open()

    def close(self) -> None:
        """Close all connections."""
        self._directory.close()

    def authenticate_password(self, username: str, password: str) -> UserInfo | None:
        """Return the user; None for a wrong password, an unknown user and a closed account alike.

        Raises:
            TooManyAttemptsError: the password was not tried.
            BackendError: the directory could not answer.
        """
        if not _is_name(username) or not password or not _is_text(password):
            return None  # an empty password would be an unauthenticated bind, which "succeeds"
        start = time.monotonic()
        with _deadline(self._settings.deadline) as deadline:
            entry = self._users.find(username, deadline)
            user = None
            if self._is_password(username, entry, password, deadline) and entry is not None:
                user = self._user_info(entry, deadline, bound=True)
        if user is None:
            _round_up(start)
        return user

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:  # noqa: ARG002  a password has no audience
        """Return whose password token (base64 of ``user:password``) this is."""
        if not self._settings.password_tokens:
            return None
        pair = _password_token(token)
        if pair is None:
            return None
        user = self.authenticate_password(*pair)
        return None if user is None else Identity(user)

    def lookup(self, username: str) -> UserInfo | None:
        """Return a user by the name given to them here; None where gone, renamed or closed."""
        if not _is_name(username):
            return None
        with _deadline(self._settings.deadline) as deadline:
            entry = self._users.find_known(username, deadline)
            return None if entry is None else self._user_info(entry, deadline, bound=False)

    def _is_password(
        self, username: str, entry: Entry | None, password: str, deadline: Deadline
    ) -> bool:
        dn = self._users.nobody(username) if entry is None else entry.dn
        key = f"{self._name}/{user_key(username) if entry is None else _entry_key(entry)}"
        turn = self._turns[hash(key) % _TURNS]
        # One at a time for one account: many at once with the right password
        # are not mistaken for guessing.
        if not turn.acquire(timeout=deadline.left()):
            raise TimeoutError("too many attempts at once")
        try:
            return bool(
                counted(self._attempts, key, lambda: self._bind(dn, password, deadline) or None)
            )
        except TooManyAttemptsError as error:
            metrics.PASSWORD_ATTEMPTS_REFUSED.labels(self._name).inc()
            _log.warning(
                "password_attempts_refused",
                authenticator=self._name,
                entry=None if entry is None else entry.dn,
                retry_after=round(error.retry_after),
            )
            raise
        finally:
            turn.release()

    def _bind(self, dn: str, password: str, deadline: Deadline) -> bool:
        result = self._directory.bind(dn, password, deadline)
        if result.code == SUCCESS:
            return True
        if result.code in self._rejected:
            return False
        raise RefusedError(result.code, f"bind: {result.diagnostic}")

    def _user_info(self, entry: Entry, deadline: Deadline, *, bound: bool) -> UserInfo | None:
        families = self._settings.account_status
        problem = status.problem(entry, families, self._clock())
        if problem is not None and problem.passing and bound:
            # The entry was read before the bind that may have ended the lock.
            again = self._users.read(entry.dn, deadline)
            if again is None:
                return None
            entry, problem = again, status.problem(again, families, self._clock())
        if problem is not None:
            _log.info(
                "ldap_account_refused",
                authenticator=self._name,
                entry=entry.dn,
                reason=problem.reason,
            )
            return None
        return self._users.user_info(entry, self._groups.names(entry, deadline))


@contextmanager
def _deadline(seconds: float) -> Iterator[Deadline]:
    """Give a deadline; that it passed is a failure of the directory."""
    try:
        yield Deadline(seconds)
    except TimeoutError:
        raise BackendError(f"the directory took more than {seconds:g}s") from None


def _round_up(start: float) -> None:
    """Wait until a whole number of steps has passed.

    Servers take longer to compare a password than to find that there is no
    entry, by up to a slow hash; in steps, most of that cannot be seen.
    """
    time.sleep(REJECTION_STEP - (time.monotonic() - start) % REJECTION_STEP)


def _is_name(username: str) -> bool:
    return bool(username.strip()) and len(username) <= MAX_USERNAME and _is_text(username)


def _is_text(value: str) -> bool:
    """Whether it can be written as UTF-8, which lone surrogates (of JSON's making) cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _entry_key(entry: Entry) -> str:
    return "entry:" + hashlib.sha256(normalise_dn(entry.dn).encode()).hexdigest()[:24]


def _password_token(token: str) -> tuple[str, str] | None:
    try:
        octets = base64.b64decode(token.encode("ascii"), validate=True)
        username, colon, password = octets.decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    # One token for one pair: b64decode takes more padding than there should be.
    is_canonical = base64.b64encode(octets).decode() == token
    return (username, password) if colon and is_canonical else None
