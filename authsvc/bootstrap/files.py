"""What becomes of each file when `authsvc init` runs again.

Three kinds of files live in a folder that ``authsvc init`` fills, and each kind
has its own rule for the second run:

- a *starter* is the administrator's from the moment it exists: never touched;
- a *generated* file is ours until someone edits it. Its first line holds a
  checksum of the rest, so an edit is seen without a record kept elsewhere;
- *key material* is replaced when its owner (`authsvc.bootstrap.pki`) says so.

Nothing here knows what the files are about.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from authsvc.bootstrap import beneath
from authsvc.errors import ConfigError
from authsvc.files import access_list, reason, write_whole

PUBLIC = 0o644
SECRET = 0o600
_FOLDER_MODE = 0o750

_STAMP = re.compile(r"\A# Written by authsvc init \(([0-9a-f]{12})\)[^\n]*\n")
_STAMP_TEXT = "# Written by authsvc init ({digest}). Edit it and it is yours: never overwritten.\n"


class Outcome(Enum):
    """What became of a file."""

    CREATED = "created"
    UPDATED = "updated"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Written:
    """A file, what became of it, and why where that needs saying."""

    path: Path
    outcome: Outcome
    note: str = ""


class Folder:
    """A folder being filled, and the record of what became of each file.

    Where root fills a folder that belongs to someone else, so do the new files:
    the service reads its renewed keys without a chown in between.

    Every method raises ConfigError, with the path, for what the system refuses.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.written: list[Written] = []
        with reported(root):
            root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            status = root.stat()
        self.owner = (status.st_uid, status.st_gid)

    def starter(self, name: str, text: str, mode: int = PUBLIC, *, note: str = "") -> None:
        """Write a file that belongs to the administrator, where there is none yet.

        ``note`` is what to say of one that is already there.
        """
        path = self.root / name
        if _exists(path):
            self._record(path, Outcome.KEPT, note)
        else:
            self.replace(name, text.encode(), mode)

    def generated(self, name: str, text: str) -> None:
        """Write a file of ours, unless it was edited since."""
        path = self.root / name
        content = _stamped(text)
        if not _exists(path):
            self.replace(name, content.encode(), PUBLIC)
            return
        with reported(path):
            present = beneath.read_plain(path).decode("utf-8", "replace")
        if present == content:
            self._record(path, Outcome.KEPT)
        elif _is_ours(present):
            self.replace(name, content.encode(), PUBLIC)
        else:
            self._record(path, Outcome.KEPT, "edited by hand")

    def is_edited(self, name: str) -> bool:
        """Whether a file is there that is not as it was generated."""
        path = self.root / name
        if not _exists(path):
            return False
        with reported(path):
            return not _is_ours(beneath.read_plain(path).decode("utf-8", "replace"))

    def replace(
        self,
        name: str,
        content: bytes,
        mode: int,
        note: str = "",
        *,
        owner: tuple[int, int] | None = None,
    ) -> None:
        """Put a file in place, whatever was there; where root does, it is ``owner``'s.

        An access list (setfacl) of what was there stays.
        """
        path = self.root / name
        outcome = Outcome.UPDATED if _exists(path) else Outcome.CREATED
        with reported(path), beneath.parent_of(self.root, name, make=True) as parent:
            if not write_whole(path, content, mode, owner or self.owner, folder=parent):
                note = ", ".join(filter(None, (note, "without its access list: setfacl it anew")))
        self._record(path, outcome, note)

    def keep(self, name: str) -> None:
        """Leave a file as it is."""
        self._record(self.root / name, Outcome.KEPT)

    def keep_secret(self, name: str) -> None:
        """Leave a secret as it is, but for permissions that let others read it."""
        path = self.root / name
        with reported(path), beneath.key_material(self.root, name) as file:
            mode = stat.S_IMODE(os.fstat(file).st_mode)
            # Beside an access list the group's bits are only the most that it may
            # give (acl(5)): without them nobody whom it names could read.
            allowed = 0o670 if access_list(file) else SECRET
            if mode & 0o077 & ~allowed:
                os.fchmod(file, mode & allowed)
                self._record(path, Outcome.UPDATED, "others could read it")
            else:
                self._record(path, Outcome.KEPT)

    def _record(self, path: Path, outcome: Outcome, note: str = "") -> None:
        self.written.append(Written(path, outcome, note))


def write_file(path: Path, content: str, mode: int) -> None:
    """Put one file in place, whole; its folder must exist.

    Raises:
        ConfigError: the system refuses.
    """
    if not path.parent.is_dir():
        raise ConfigError(str(path), "no such folder")
    Folder(path.parent).replace(path.name, content.encode(), mode)


def _stamped(text: str) -> str:
    return _STAMP_TEXT.format(digest=_digest(text)) + text


def _is_ours(content: str) -> bool:
    stamp = _STAMP.match(content)
    return stamp is not None and stamp[1] == _digest(content[stamp.end() :])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _exists(path: Path) -> bool:
    with reported(path):
        return path.exists()


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Say what the system refuses in one line with its place."""
    try:
        yield
    except OSError as error:
        raise ConfigError(str(error.filename or path), reason(error)) from None
