"""How a directory can fail, by what is to be done next.

::

    BackendError
    └── DirectoryError(fault)
        ├── ServerUnavailableError    this server did not answer: ask the next one
        ├── RefusedError(code)        it answered, and every other would answer the same
        └── EntryError                an entry is not what the settings say it is

A wrong password is none of these; it is an answer.
"""

from __future__ import annotations

from enum import Enum, auto

from authsvc.errors import BackendError


class Fault(Enum):
    """What a failure is due to, where an administrator can do something about it (`advice`)."""

    NO_ADDRESS = auto()
    NOBODY_LISTENS = auto()
    LATE = auto()
    AUTHORITY = auto()
    """The server's certificate is by an authority that is not trusted."""
    OTHER_HOST = auto()
    """The server's certificate is for another host."""
    EXPIRED = auto()
    """The server's certificate has expired."""
    NO_START_TLS = auto()
    TLS_FILES = auto()
    """A file of ours for TLS cannot be used."""
    NO_TLS = auto()
    SERVICE_BIND = auto()
    """The service's own bind was refused, not a user's."""
    NOTHING_BELOW = auto()
    """A search that finds somebody in every directory that works finds nobody."""
    NO_USER = auto()
    SEVERAL_ENTRIES = auto()
    SAME_NAME = auto()
    """Two groups have one name."""
    VALUE = auto()
    """An attribute that is mapped has no value, an empty one or several."""


class DirectoryError(BackendError):
    """A failure of a directory or of what is in it; ``fault`` is what it is due to, if known."""

    def __init__(self, message: str, fault: Fault | None = None) -> None:
        super().__init__(message)
        self.fault = fault


class ServerUnavailableError(DirectoryError):
    """A server could not be reached, broke off, was too late, or said that it is busy."""


class RefusedError(DirectoryError):
    """A server answered an operation with a result other than success (RFC 4511, appendix A)."""

    def __init__(self, code: int, message: str, fault: Fault | None = None) -> None:
        super().__init__(message, fault)
        self.code = code


class EntryError(DirectoryError):
    """An entry lacks what the settings name, has it many times over, or is not the only one."""
