"""Files as this service writes them: whole or not at all, and belonging to whoever reads them.

An administrator runs a command as root beside a service that runs as somebody
else; what the command makes has to be the service's to read. Nothing here
knows what the files are about.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import suppress
from pathlib import Path

_ACCESS_LIST = "system.posix_acl_access"

Owner = tuple[int, int]
"""A user's and a group's id."""


def write_whole(
    path: Path,
    content: bytes,
    mode: int,
    owner: Owner | None = None,
    *,
    folder: int | None = None,
) -> bool:
    """Put a file in place: readers see the old one or the new one, whole.

    It is made closed (0600) under another name, with a dot in front, and is
    opened to others only once it is complete: a private key is not readable for
    an instant. Where root writes, it belongs to ``owner``, by default that of
    the folder. What fails leaves nothing behind. ``folder`` is a descriptor of
    the folder, where the one of that name may be replaced meanwhile.

    Whom the file before was opened to by an access list (setfacl) may read the
    new one as well, if both are the same user's; False where the system did not
    let it.

    Raises:
        OSError: the system refuses.
    """
    beside, target = path.with_name(f".{path.name}.{secrets.token_hex(6)}"), path
    if folder is not None:
        beside, target = Path(beside.name), Path(path.name)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if owner is None:
                give_to_folders_owner(path, file.fileno())
            elif _is_root():
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            kept = _keep_access_list(file.fileno(), mode, target, folder)
            os.fsync(file.fileno())
        os.rename(beside, target, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(beside, dir_fd=folder)
        raise
    return kept


def give_to_folders_owner(path: Path, descriptor: int | None = None) -> None:
    """Give a new file or folder to the owner of the folder it is in; only root can, or has to.

    ``descriptor`` of a file: the folder's owner may have replaced the name with
    a hard link to someone else's file.
    """
    if not _is_root():
        return
    folder = path.parent.stat()
    if descriptor is None:
        os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)  # nor to a link's
    else:
        os.fchown(descriptor, folder.st_uid, folder.st_gid)


def access_list(descriptor: int) -> bytes:
    """Return the access list of a file as the system keeps it (acl(5)); empty for none."""
    if sys.platform != "linux":
        return b""
    try:
        return os.getxattr(descriptor, _ACCESS_LIST)
    except OSError:  # no list, or no lists on this file system
        return b""


def _keep_access_list(descriptor: int, mode: int, before: Path, folder: int | None) -> bool:
    """Give a new file the access list of the one before, but nothing to others beyond ``mode``.

    Not that of another user's file: who can put one in the place of root's would
    open root's next one to themselves.
    """
    try:
        opened = os.open(before, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=folder)
    except OSError:
        return True
    try:
        of_one_user = os.fstat(opened).st_uid == os.fstat(descriptor).st_uid
        entries = access_list(opened) if of_one_user else b""
    finally:
        os.close(opened)
    if sys.platform != "linux" or not entries:
        return True
    try:
        os.setxattr(descriptor, _ACCESS_LIST, entries)
    except OSError:  # users that are unknown here: in a namespace such as PrivateUsers= makes
        return False
    os.fchmod(descriptor, stat.S_IMODE(os.fstat(descriptor).st_mode) & (mode | 0o070))
    return True


def reason(error: OSError) -> str:
    """Return in words why the system refused, as it reads after ``file: ``."""
    return (error.strerror or "cannot be used").lower()


def _is_root() -> bool:
    return os.geteuid() == 0
