"""Files that hold a secret and nothing else: passwords, clients' secrets."""

from __future__ import annotations

from pathlib import Path

from authsvc.decoding.structs import Place
from authsvc.errors import InvalidConfigurationError
from authsvc.secret_files import read_secret


def secret_file(name: str, at: Place) -> Path:
    """Return the file that a field names; record an error where there is no secret in it."""
    path = at.existing_file(name)
    if not at.has_errors():
        try:
            read_secret(path)
        except InvalidConfigurationError as error:
            at.error(str(error))
    return path
