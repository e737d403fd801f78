"""How a directory can fail, by what is to be done next.

::

    BackendError
    ├── ServerUnavailableError    this server did not answer: ask the next one
    ├── RefusedError(code)        it answered, and every other would answer the same
    └── EntryError                an entry is not what the settings say it is

A wrong password is none of these; it is an answer.
"""

from __future__ import annotations

from authsvc.errors import BackendError


class ServerUnavailableError(BackendError):
    """A server could not be reached, broke off, was too late, or said that it is busy."""


class RefusedError(BackendError):
    """A server answered an operation with a result other than success (RFC 4511, appendix A)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class EntryError(BackendError):
    """An entry lacks what the settings name, has it many times over, or is not the only one."""
