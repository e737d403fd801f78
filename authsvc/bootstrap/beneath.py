"""Files beneath a folder whose owner may be somebody else, read and written as they are there.

Root runs ``authsvc init`` from cron in the folder of the service's user. Who has
become that user can put a link in the place of a key, or of ``pki/`` itself, and
with it another's key: root would sign with it, close it to its owner, or write
over it. So each step beneath the folder is one by descriptor that follows no
link, and key material has to be a file of its own that belongs to who may
decide about it.

Raises OSError with the path, as the system itself does.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_FOLDER_MODE = 0o750
# Whoever opens a pipe waits for its other end.
_FILE = os.O_RDONLY | os.O_NONBLOCK
_MAX_BYTES = 1024 * 1024


@contextmanager
def parent_of(root: Path, name: str, *, make: bool = False) -> Iterator[int]:
    """Open the folder that a file beneath ``root`` is in.

    ``make``: those that are missing; where root makes them they are the owner's of ``root``.
    """
    place = root
    with _named(place):
        folder = os.open(place, _FOLDER)
    try:
        owner = os.fstat(folder)
        for step in PurePosixPath(name).parts[:-1]:
            place /= step
            with _named(place):
                inner = _open_folder(step, folder, owner if make else None)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


@contextmanager
def key_material(root: Path, name: str) -> Iterator[int]:
    """Open a key or a certificate; the descriptor is for reading, and for what a mode is.

    Refused is a file with other names, one that is no regular file, and one of
    a user who is neither root, nor this process's, nor the owner of ``root``.
    """
    path = root / name
    with parent_of(root, name) as folder, _named(path):
        try:
            file = os.open(path.name, _FILE | os.O_NOFOLLOW, dir_fd=folder)
        except OSError as error:
            if _is_link(path.name, folder):
                raise _refused(path, "a symbolic link; refusing to follow it") from None
            raise error from None
    try:
        status = os.fstat(file)
        _check_regular(path, status)
        if status.st_nlink != 1:
            raise _refused(path, "has other names (hard links), and may be another's key")
        if status.st_uid not in {0, os.geteuid(), root.stat().st_uid}:
            raise _refused(
                path,
                f"belongs to user {status.st_uid}, who is neither root nor the folder's owner",
            )
        yield file
    finally:
        os.close(file)


def read_key_material(root: Path, name: str) -> bytes | None:
    """Return what is in a key or a certificate, None where there is none; see `key_material`."""
    try:
        with key_material(root, name) as file:
            return _read(root / name, file)
    except FileNotFoundError:
        return None


def owner_of_key_material(root: Path, name: str) -> tuple[int, int] | None:
    """Return the user and the group that a key belongs to, None where there is none."""
    try:
        with key_material(root, name) as file:
            status = os.fstat(file)
    except FileNotFoundError:
        return None
    return status.st_uid, status.st_gid


def read_plain(path: Path) -> bytes:
    """Return what is in a file that holds no secret, wherever a link leads; never wait for it."""
    file = os.open(path, _FILE)
    try:
        _check_regular(path, os.fstat(file))
        return _read(path, file)
    finally:
        os.close(file)


def _open_folder(name: str, folder: int, make_for: os.stat_result | None) -> int:
    if make_for is None:
        return _open_no_link(name, folder)
    try:
        return _open_no_link(name, folder)
    except FileNotFoundError:
        os.mkdir(name, _FOLDER_MODE, dir_fd=folder)
    made = _open_no_link(name, folder)
    if os.geteuid() == 0:
        os.fchown(made, make_for.st_uid, make_for.st_gid)
    return made


def _open_no_link(name: str, folder: int) -> int:
    try:
        return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        if _is_link(name, folder):
            raise _refused(Path(name), "a symbolic link; refusing to go through it") from None
        raise error from None


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _check_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _refused(path, "not a regular file")


def _read(path: Path, file: int) -> bytes:
    with os.fdopen(os.dup(file), "rb") as handle:
        data = handle.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise _refused(path, "larger than any such file")
    return data


def _refused(path: Path, why: str) -> OSError:
    return OSError(errno.EPERM, why, str(path))


@contextmanager
def _named(path: Path) -> Iterator[None]:
    # What is opened beneath a descriptor is named by its last part alone.
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise
