"""Writing and removing sessions; reading them is ``sessions``.

A session file is written beside its place, synced and renamed over it: a crash
leaves the old one or the new one. The refresh token goes to the system's
keyring where there is one, and only without it to the file.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from authsvc.client import keyring, sessions
from authsvc.client.errors import ClientError

if TYPE_CHECKING:
    from authsvc.client.sessions import Key, Session


class Store:
    """The place of one session.

    ``use_keyring``: whether its refresh token may go to the system's keyring.
    """

    def __init__(self, key: Key, environment: Mapping[str, str], *, use_keyring: bool) -> None:
        self.key = key
        self.file = Path(sessions.path(key, environment))
        self.lock_file = str(self.file.with_suffix(".lock"))
        self._keyring = keyring.find(environment) if use_keyring else None

    def prepare(self) -> None:
        """Make the state folder, for this user alone.

        Raises:
            ClientError: it cannot be made, or others could write to it.
        """
        folder = self.file.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.stat()
        except OSError as error:
            raise ClientError(f"cannot make the folder {folder}: {error.strerror}") from None
        if status.st_uid != os.geteuid():
            raise ClientError(f"{folder} belongs to another user: set XDG_STATE_HOME to your own")
        if status.st_mode & 0o022:
            raise ClientError(f"{folder} can be written to by others: run `chmod 700 {folder}`")

    def load(self) -> Session | None:
        """Return the session, its refresh token fetched from where it is kept.

        Raises:
            ClientError: see ``sessions.load``.
        """
        session = sessions.load(str(self.file), self.key)
        if session is not None and session.get("refresh_token_in") == "keyring":
            kept = self._keyring.get(self.file.stem) if self._keyring else None
            if kept:
                session["refresh_token"] = kept
        return session

    def save(self, session: Session) -> None:
        """Keep a session in the place of the one before.

        Raises:
            ClientError: it cannot be written.
        """
        kept = session.copy()
        kept.pop("refresh_token_in", None)
        refresh_token = session.get("refresh_token")
        if refresh_token and self._keyring and self._keyring.put(self.file.stem, refresh_token):
            del kept["refresh_token"]
            kept["refresh_token_in"] = "keyring"  # noqa: S105  # a place, no password
        elif self._keyring:
            self._keyring.remove(self.file.stem)
        try:
            _replace(self.file, json.dumps(kept).encode())
        except OSError as error:
            raise ClientError(f"cannot write {self.file}: {error.strerror}") from None

    def remove(self) -> None:
        """Forget the session, whatever state its file is in. The lock file stays: others hold it.

        Raises:
            ClientError: it cannot be removed.
        """
        if self._keyring:
            self._keyring.remove(self.file.stem)
        try:
            self.file.unlink(missing_ok=True)
        except OSError as error:
            raise ClientError(f"cannot remove {self.file}: {error.strerror}") from None


def _replace(file: Path, content: bytes) -> None:
    beside = file.with_suffix(".new")  # under the lock: one writer at a time
    try:
        beside.unlink(missing_ok=True)  # of one that was killed
        descriptor = os.open(
            beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        with open(descriptor, "wb") as stream:  # noqa: PTH123  # a descriptor, not a path
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
