"""The files of a policy: which they are, and whether they changed while they were read."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

from authsvc.errors import InvalidPolicyError, PolicyError

_ATTEMPTS = 3
_NO_NAME = "the name of the file, or of its folder, is not UTF-8"

T = TypeVar("T")


class Source(NamedTuple):
    """A policy file: ``label`` is its name in reasons, ``path`` its name in errors."""

    label: str
    path: str
    open: Callable[[], BinaryIO]


def read_unchanged(path: Path, read: Callable[[list[Source]], T]) -> T:
    """Read a folder's files, or one file, as they were at one time.

    Where they change meanwhile (an editor, a ConfigMap's symlink swap) they are
    read anew, so that rows of two versions never meet.

    Raises:
        InvalidPolicyError: what ``read`` raises, or a folder that cannot be read.
    """
    for _ in range(_ATTEMPTS):
        before = _listing(path)
        try:
            value = read(_sources(path))
        except InvalidPolicyError:
            if _listing(path) == before:
                raise
            continue
        if _listing(path) == before:
            return value
    raise InvalidPolicyError([PolicyError(str(path), 0, "kept changing while it was read")])


def cause(error: OSError) -> str:
    """Say in words why a file or folder cannot be read."""
    if isinstance(error, FileNotFoundError) and error.filename:
        link = Path(error.filename)
        if link.is_symlink():  # it is listed, so "no such file" would be a riddle
            return f"broken link to {link.readlink()}"
    return (error.strerror or type(error).__name__).lower()


def _sources(path: Path) -> list[Source]:
    try:
        files = _files(path)
    except OSError as error:
        raise InvalidPolicyError([PolicyError(str(path), 0, cause(error))]) from None
    if not files:
        raise InvalidPolicyError([PolicyError(str(path), 0, "no *.csv file in this folder")])
    sources = [Source(_label(file, path), _shown(file), _opener(file)) for file in files]
    # Reasons, and the records of decisions, could not have such a name.
    if nameless := [source for source in sources if not _is_text(source.label)]:
        raise InvalidPolicyError([PolicyError(source.path, 0, _NO_NAME) for source in nameless])
    return sources


def _shown(file: Path) -> str:
    return os.fsencode(file).decode(errors="backslashreplace")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8 come as lone surrogates (PEP 383)
        return False
    return True


def _label(file: Path, path: Path) -> str:
    return file.name if file == path else f"{path.absolute().name}/{file.name}"


def _opener(file: Path) -> Callable[[], BinaryIO]:
    return lambda: file.open("rb")


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        path.stat()
        return [path]
    # Hidden ones are those of editors, and of Kubernetes' mounts (..data).
    return sorted(
        file for file in path.iterdir() if file.suffix == ".csv" and not file.name.startswith(".")
    )


def _listing(path: Path) -> Hashable:
    try:
        files = _files(path)
    except OSError as error:
        return error.errno
    return tuple((str(file), _stamp(file)) for file in files)


def _stamp(file: Path) -> Hashable:
    try:
        status = file.stat()
    except OSError as error:
        return error.errno
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
