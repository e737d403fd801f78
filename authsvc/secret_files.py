"""Secrets in files, all by one rule: UTF-8, and one line end at the end is not part of the secret.

For every part of the service that is told a secret by the name of a file. The
clients of kubectl have their own, as they import nothing of the service.
"""

from __future__ import annotations

from pathlib import Path

from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.files import reason
from authsvc.reloading import Reloading


def read_secret(file: Path) -> str:
    """Return the secret in a file.

    Raises:
        InvalidConfigurationError: not to be read, not UTF-8, or empty. It names the file and
            says nothing of what is in it.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise unusable(file, reason(error)) from None
    try:
        secret = content.decode()
    except UnicodeDecodeError:
        raise unusable(file, "not UTF-8") from None
    secret = secret.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise unusable(file, "empty")
    return secret


def secret_in(file: Path, part: str) -> Reloading[str]:
    """Return the secret in a file, followed as the file changes; it is to be loaded.

    ``part`` is what logs and metrics call it.
    """
    return Reloading(part, lambda: read_secret(file), [file])


def unusable(file: Path, message: str) -> InvalidConfigurationError:
    """Return the error that a file holds no usable secret."""
    return InvalidConfigurationError([ConfigError(str(file), message)])
