"""What goes wrong, in one line that says what to do.

::

    ClientError(message)             printed after the program's name; exit status 1
    ├── UnreachableError(message)    the issuer could not be reached, or not in time
    ├── MissingTokenError(message)   the issuer's answer lacks the token that is to be sent
    ├── UnusableSessionError(why, …) the file that keeps a session is not to be trusted
    └── RefusedError(error, …)       the issuer said no (an OAuth 2.0 error answer)

No message holds a token or a password. What a server said is cleaned first:
it is printed on a terminal.
"""


class ClientError(Exception):
    """A failure to be read by a person. The message is one line."""


class UnreachableError(ClientError):
    """No connection, no trust, or no answer in time: another try may do."""


class MissingTokenError(ClientError):
    """A token answer without the kind of token that the session sends."""


class UnusableSessionError(ClientError):
    """A session file that is damaged, another's or open to others.

    ``why`` says so without what to do about it.
    """

    def __init__(self, why: str, advice: str) -> None:
        self.why = why
        super().__init__(f"{why}: {advice}")


class RefusedError(ClientError):
    """An error answer of an OAuth 2.0 endpoint (RFC 6749 section 5.2).

    ``error`` is its code, such as ``invalid_grant``.
    """

    def __init__(self, error: str, description: str = "") -> None:
        self.error = printable(error)
        said = f"{self.error}: {printable(description)}" if description else self.error
        super().__init__(said)


def printable(text: str, limit: int = 200) -> str:
    """Return ``text`` as one line without control characters, at most ``limit`` long.

    A server's words could otherwise drive the terminal they are shown on.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
