"""The roots of this service's errors, by what the caller is to do about them.

::

    AuthsvcError
    ├── InvalidReviewError(path, message)    answer 400: the request is not a review
    ├── BackendError(message)                a back end could not answer: not a verdict
    ├── NotReadyError(message)               answer 503: nothing to answer from yet
    ├── InvalidConfigurationError(errors)    refuse to start, or keep the last good one
    │       errors: ConfigError(path, message) …
    ├── InvalidPolicyError(errors)           refuse to start, or keep the last good one
    │       errors: PolicyError(file, line, message) …
    ├── TokenTooLargeError                   answer 400: no review would take the token
    └── DemoError(message)                   say it, and end the demo

The last two are where they are raised, in the issuer and the demo, and so are
the kinds of BackendError: TooManyAttemptsError, and those of a directory
(authsvc.authn.ldap.errors). The clients of kubectl have a tree of their own
(authsvc.client.errors).

Bad credentials are no error: they are the answer None. Messages never hold a
token, a password or any other secret.
"""

from __future__ import annotations

from collections.abc import Iterable


class AuthsvcError(Exception):
    """Base of all errors that this service raises on purpose."""


class InvalidReviewError(AuthsvcError):
    """A request that is not the review it should be.

    ``path`` is the place in the JSON document (``spec.token``), empty for the
    document itself.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


class BackendError(AuthsvcError):
    """A back end (directory, identity provider, store) could not answer.

    The message goes to the log, never to the client.
    """


class NotReadyError(AuthsvcError):
    """A part has nothing to answer from yet, such as a policy never loaded."""


class ConfigError(AuthsvcError):
    """One fault of a configuration, with its place.

    ``path`` is the field (``authentication.authenticators[1].ldap.url``) or,
    where a file cannot be read at all, ``file:line``.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


class PolicyError(AuthsvcError):
    """One fault of a policy or table file, with its place; ``line`` 0 is the whole file."""

    def __init__(self, file: str, line: int, message: str) -> None:
        self.place = f"{file}:{line}" if line else file
        super().__init__(f"{self.place}: {message}")
        self.file = file
        self.line = line
        self.message = message


class InvalidConfigurationError(AuthsvcError):
    """A configuration that cannot be used: all its faults at once."""

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


class InvalidPolicyError(AuthsvcError):
    """A set of policy or table files that cannot be used: all its faults at once."""

    def __init__(self, errors: Iterable[PolicyError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))
