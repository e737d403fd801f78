"""Secrets in files, followed as the files change: they can be rotated under a running service."""

from __future__ import annotations

from pathlib import Path

from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.reloading import Reloading


def secret_in(file: Path, name: str) -> Reloading[str]:
    """Return the secret in a file, for the authenticator of that name; it is to be loaded."""
    return Reloading(f"authenticator/{name}/secret", lambda: read_secret(file), [file])


def read_secret(file: Path) -> str:
    """Read a secret: all of the file but a line's end.

    Raises:
        InvalidConfigurationError: not to be read, not UTF-8, or empty.
    """
    try:
        text = file.read_text(encoding="utf-8").strip("\r\n")
    except OSError as error:
        raise unusable(file, (error.strerror or "cannot be read").lower()) from None
    except UnicodeDecodeError:
        raise unusable(file, "not UTF-8") from None
    if not text:
        raise unusable(file, "empty")
    return text


def unusable(file: Path, message: str) -> InvalidConfigurationError:
    """Return the error that a file holds no usable secret."""
    return InvalidConfigurationError([ConfigError(str(file), message)])
