"""A policy as it is in a folder, or as it was at a revision of git: ``HEAD~1:policy``."""

from __future__ import annotations

import posixpath
import subprocess
from pathlib import Path

from authsvc.errors import InvalidPolicyError, PolicyError
from authsvc.policy.reader import read, read_text
from authsvc.policy.rows import Rows


def read_revision(place: str) -> Rows:
    """Read the rows of a folder or file, or of ``REVISION:PATH`` in the repository here.

    Raises:
        InvalidPolicyError: all faults of all files, or what git says.
    """
    if Path(place).exists() or ":" not in place:
        return read(Path(place))
    revision, _, path = place.partition(":")
    names = _names(place, revision, path)
    return read_text({name: _text(f"{place}/{name}", revision, full) for name, full in names})


def _names(place: str, revision: str, path: str) -> list[tuple[str, str]]:
    """Return the labels and the paths of the files, as a folder's reader would take them."""
    listed = _git(place, "ls-tree", "-z", "--name-only", f"{revision}:./{path}").split(b"\0")
    names = sorted(name.decode(errors="replace") for name in listed if name)
    label = posixpath.basename(posixpath.normpath(path)) or "policy"
    found = [
        (f"{label}/{name}", posixpath.join(path, name))
        for name in names
        if name.endswith(".csv") and not name.startswith(".")
    ]
    if not found:
        raise InvalidPolicyError([PolicyError(place, 0, "no *.csv file in this folder")])
    return found


def _text(name: str, revision: str, path: str) -> str:
    # --follow-symlinks: a link's content in git is only where it leads.
    answer = _git(name, "cat-file", "--batch", "--follow-symlinks", asked=f"{revision}:./{path}\n")
    head, _, content = answer.partition(b"\n")
    if b" blob " not in head:
        raise InvalidPolicyError([PolicyError(name, 0, "not a file in this revision")])
    try:
        return content.removesuffix(b"\n").decode()
    except UnicodeDecodeError:
        raise InvalidPolicyError([PolicyError(name, 0, "not UTF-8")]) from None


def _git(place: str, *arguments: str, asked: str = "") -> bytes:
    try:
        done = subprocess.run(  # noqa: S603  no shell, and git's own parsing of a revision
            ["git", *arguments],  # noqa: S607  the git of whoever calls
            input=asked.encode(),
            capture_output=True,
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"git cannot be run: {error}"
        raise InvalidPolicyError([PolicyError(place, 0, message)]) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        message = (said[-1] if said else "git failed").removeprefix("fatal: ")
        raise InvalidPolicyError([PolicyError(place, 0, message)])
    return done.stdout
