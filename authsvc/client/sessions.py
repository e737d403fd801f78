"""The sessions kept between calls: one file each, in the user's state folder.

``$XDG_STATE_HOME/kubectl-authsvc/`` (XDG Base Directory), 0700, files 0600. A
file is replaced whole or not at all, and one that others could have read or
written is not used. Which session a file holds is written inside: its name
only has to be short and readable.

Read before a cached token is answered: ``os`` rather than ``pathlib``, a
checksum rather than ``hashlib``.
"""

from __future__ import annotations

import json
import os
import stat
from binascii import crc32

from authsvc.client.errors import ClientError, UnusableSessionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NotRequired, TypedDict, TypeGuard

    Key = Mapping[str, str]

    class Session(TypedDict):
        """What is kept of a login; times in seconds since the epoch, by this machine's clock.

        ``good_until`` lies a margin before the token's end. ``refresh_token`` is
        absent where the keyring holds it, or there is none.
        """

        key: Key
        token: str
        kind: str
        obtained_at: float
        good_until: float
        subject: str
        username: str
        token_endpoint: str
        revocation_endpoint: NotRequired[str]
        refresh_token: NotRequired[str]
        refresh_token_in: NotRequired[str]


# How far a clock may be set back before what it timed is no longer believed.
_CLOCK_STEP = 60.0


def folder(environment: Mapping[str, str]) -> str:
    """Return the state folder's path; it need not exist.

    Raises:
        ClientError: there is no home to have one in.
    """
    state = environment.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):  # the specification: a relative path is to be ignored
        home = environment.get("HOME", "")
        if not os.path.isabs(home):
            raise ClientError(
                "neither HOME nor XDG_STATE_HOME is set: set HOME to your home folder"
            )
        state = os.path.join(home, ".local", "state")
    return os.path.join(state, "kubectl-authsvc")


def path(key: Key, environment: Mapping[str, str]) -> str:
    """Return the file that the session of ``key`` is kept in."""
    checksum = crc32(json.dumps(key, sort_keys=True).encode())
    host = key.get("issuer", "").partition("://")[2]
    readable = "".join(c if c.isalnum() or c in ".-" else "_" for c in host)[:100]
    return os.path.join(folder(environment), f"{readable}-{checksum:08x}.json")


def load(file: str, key: Key) -> Session | None:
    """Return the session kept in ``file``, or None when there is none of that key.

    Raises:
        UnusableSessionError: it cannot be trusted or is damaged. It is left as it is.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnusableSessionError(
            f"cannot read {file}: {error.strerror}", "remove it and run `kubectl authsvc login`"
        ) from None
    with open(descriptor, "rb") as stream:
        _check_private(os.fstat(descriptor), file)
        content = stream.read()
    session: object
    try:
        session = json.loads(content)
    except ValueError:
        session = None
    if not _is_session(session):
        raise UnusableSessionError(
            f"{file} is damaged", "run `kubectl authsvc login` to replace it"
        )
    return session if session["key"] == key else None


def is_good(session: Session, now: float) -> bool:
    """Tell whether the session's token can still be sent at ``now`` (seconds since the epoch)."""
    return session["obtained_at"] - _CLOCK_STEP <= now < session["good_until"]


def _check_private(status: os.stat_result, file: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnusableSessionError(
            f"{file} is not a file", "remove it and run `kubectl authsvc login`"
        )
    if status.st_uid != os.geteuid():
        raise UnusableSessionError(
            f"{file} belongs to another user (uid {status.st_uid})",
            "run kubectl as that user, or remove the file and run `kubectl authsvc login`",
        )
    if status.st_mode & 0o077:
        raise UnusableSessionError(
            f"{file} is open to others (mode {stat.S_IMODE(status.st_mode):04o}), "
            "its token may be known",
            "run `kubectl authsvc login` to replace it",
        )


def _is_session(value: object) -> TypeGuard[Session]:
    return (
        isinstance(value, dict)
        and isinstance(value.get("key"), dict)
        and isinstance(value.get("token"), str)
        and all(
            isinstance(value.get(name), str)
            for name in ("kind", "subject", "username", "token_endpoint")
        )
        and all(isinstance(value.get(name), (int, float)) for name in ("obtained_at", "good_until"))
    )
