"""Who owns a file that root makes: the owner of the folder it is in.

An administrator runs a command as root beside a service that is somebody else;
what the command makes there has to be the service's to read.
"""

from __future__ import annotations

import os
from pathlib import Path


def give_to_folders_owner(path: Path, descriptor: int | None = None) -> None:
    """Give a new file or folder to the owner of the folder it is in; only root can, or has to.

    ``descriptor`` of a file: by then its name may be a hard link to somebody
    else's, which who owns the folder has put there.
    """
    if os.geteuid() != 0:
        return
    folder = path.parent.stat()
    if descriptor is None:
        os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)  # nor to a link's
    else:
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
