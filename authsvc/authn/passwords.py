"""Passwords in a file (``type: StaticPasswords``): for a first login, a laboratory, an emergency.

A line a user, ``username:hash:uid:"group1,group2"``, uid and groups optional;
`authsvc password hash` makes the hash, scrypt (RFC 7914) in the PHC string
format. Names are taken as they stand: case matters.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import threading
from pathlib import Path
from typing import NamedTuple

from authsvc.attempts import AttemptCounter, counted, user_key
from authsvc.authn.passwords_settings import StaticPasswordsSettings
from authsvc.authn.tables import Row, Table, parse_groups, read_table
from authsvc.interfaces import UserInfo
from authsvc.reloading import Reloading
from authsvc.truncation import refuse_truncated

# OWASP's second choice for scrypt: 32 MiB, which a small pod can spare for a login.
_LOG_COST, _BLOCK, _PARALLEL = 15, 8, 3
_PHC = re.compile(
    r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)
_AT_ONCE = threading.BoundedSemaphore(2)  # each costs 32 MiB or more


class ScryptHash(NamedTuple):
    """A password's hash; ``log_cost`` is the base-2 logarithm of scrypt's N."""

    log_cost: int
    block: int
    parallel: int
    salt: bytes
    digest: bytes

    def __str__(self) -> str:
        salt, digest = (base64.b64encode(part).decode().rstrip("=") for part in self[3:])
        return f"$scrypt$ln={self.log_cost},r={self.block},p={self.parallel}${salt}${digest}"

    def matches(self, password: str) -> bool:
        """Whether this is the hash of a password."""
        return hmac.compare_digest(_scrypt(password, self), self.digest)


class Entry(NamedTuple):
    """A user of the table."""

    user: UserInfo
    hash: ScryptHash


PasswordTable = Table[str, Entry]


class StaticPasswordAuthenticator:
    """Knows the users of a table and their passwords; the table follows its file."""

    def __init__(
        self, settings: StaticPasswordsSettings, attempts: AttemptCounter, name: str = "passwords"
    ) -> None:
        file = settings.file
        self.table: Reloading[PasswordTable] = Reloading(
            f"authenticator/{name}", refuse_truncated(lambda: read(file), file), [file]
        )
        self._attempts = attempts
        self._name = name

    def authenticate_password(self, username: str, password: str) -> UserInfo | None:
        """Return the user, None where the name or the password is wrong: in the same time.

        Raises:
            TooManyAttemptsError: too many were wrong for this user.
            BackendError: the counter of attempts cannot be reached.
        """
        key = f"{self._name}/{user_key(username)}"
        return counted(self._attempts, key, lambda: self._verify(username, password))

    def _verify(self, username: str, password: str) -> UserInfo | None:
        table = self.table.current
        entry = table.get(username)
        # Hashes made elsewhere may cost more or less than ours: for a name that
        # is not in the table, one that is takes its place, so that it takes as long.
        compared = entry or next(iter(table.values()), _NOBODY)
        matches = compared.hash.matches(password)
        return entry.user if entry is not None and matches else None

    def lookup(self, username: str) -> UserInfo | None:
        """Return the user as the table has them now."""
        entry = self.table.current.get(username)
        return None if entry is None else entry.user


def hash_password(password: str) -> ScryptHash:
    """Return the hash of a password under a salt of its own."""
    unfilled = ScryptHash(_LOG_COST, _BLOCK, _PARALLEL, os.urandom(16), b"\0" * 32)
    return unfilled._replace(digest=_scrypt(password, unfilled))


def _scrypt(password: str, like: ScryptHash) -> bytes:
    memory = 128 * like.block * ((1 << like.log_cost) + like.parallel + 2)
    with _AT_ONCE:
        return hashlib.scrypt(
            password.encode("utf-8", "surrogatepass"),
            salt=like.salt,
            n=1 << like.log_cost,
            r=like.block,
            p=like.parallel,
            maxmem=memory,
            dklen=len(like.digest),
        )


# Compared with where the table is empty, so that it takes as long.
_NOBODY = Entry(UserInfo(""), ScryptHash(_LOG_COST, _BLOCK, _PARALLEL, b"\0" * 16, b"\0" * 32))


def read(file: Path) -> PasswordTable:
    """Read a table.

    Raises:
        InvalidPolicyError: every error of the file with its line; never with a hash.
    """
    return read_table(file, _parse_row, key="user", delimiter=":")


def _parse_row(cells: list[str]) -> Row[str, Entry]:
    if not 2 <= len(cells) <= 4:
        raise ValueError(f'expected username:hash:uid:"group1,group2", got {len(cells)} cells')
    username, phc, uid, groups = (*cells, "", "")[:4]
    if not username:
        raise ValueError("the user is empty")
    user = UserInfo(username, uid, parse_groups(groups))
    return Row(username, Entry(user, _parse_hash(phc)), user)


def _parse_hash(phc: str) -> ScryptHash:
    match = _PHC.fullmatch(phc)
    if match is None:
        raise ValueError("not a hash as `authsvc password hash` makes it")
    log_cost, block, parallel = (int(number) for number in match.groups()[:3])
    try:
        salt, digest = (
            base64.b64decode(part + "=" * (-len(part) % 4)) for part in match.groups()[3:]
        )
    except binascii.Error:
        raise ValueError("the hash is cut off") from None
    if not 14 <= log_cost <= 20 or not 8 <= block <= 32 or not 1 <= parallel <= 16:
        raise ValueError("the hash is too weak or too costly (ln 14 to 20, r 8 to 32, p 1 to 16)")
    if len(salt) < 16 or len(digest) < 32:
        raise ValueError("the hash is too short (a salt of 16 bytes, a digest of 32)")
    return ScryptHash(log_cost, block, parallel, salt, digest)
