"""Who owns a file that root makes: the owner of the folder it is in.

An administrator runs a command as root beside a service that is somebody else;
what the command makes there has to be the service's to read.
"""

from __future__ import annotations

import os
from pathlib import Path


def give_to_folders_owner(path: Path) -> None:
    """Give a new file or folder to the owner of the folder it is in; only root can, or has to."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        # Who owns the folder may have put a link to somebody else's file there meanwhile.
        os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)
