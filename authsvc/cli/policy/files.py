"""Files that commands read and write, with errors of a line."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from authsvc.errors import ConfigError


def text_of(file: IO[str]) -> str:
    """Return all of an open file.

    Raises:
        ConfigError: it is not UTF-8, or it cannot be read.
    """
    try:
        return file.read()
    except UnicodeDecodeError as error:
        # Within what was decoded at once, not within the file.
        byte = error.object[error.start]
        raise ConfigError(file.name, f"not UTF-8: it has the byte 0x{byte:02x}") from None
    except OSError as error:
        raise ConfigError(file.name, _cause(error)) from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(str(path), _cause(error)) from None


def _cause(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
