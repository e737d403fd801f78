"""A socket that keeps to a deadline: each read and write is given what is left of the whole."""

from __future__ import annotations

import socket
import ssl

from authsvc.authn.deadline import Deadline


class DeadlineSocket:
    """As much of a socket as ldap3 uses, each call bounded by the deadline set last.

    ``sendall`` and a TLS handshake are bounded as a whole by Python itself;
    ``recv`` returns with the first bytes, so each one is given what is left.
    """

    __slots__ = ("deadline", "wrapped")

    def __init__(self, wrapped: socket.socket, deadline: Deadline) -> None:
        self.wrapped = wrapped
        self.deadline = deadline

    def recv(self, size: int) -> bytes:
        """Receive at most ``size`` bytes, before the deadline."""
        self.wrapped.settimeout(self.deadline.left())
        return self.wrapped.recv(size)

    def sendall(self, data: bytes) -> None:
        """Send all of the data, before the deadline."""
        self.wrapped.settimeout(self.deadline.left())
        self.wrapped.sendall(data)

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Put TLS round the socket; the certificate must be good for the host."""
        self.wrapped.settimeout(self.deadline.left())
        self.wrapped = context.wrap_socket(self.wrapped, server_hostname=host)

    def fileno(self) -> int:
        """Return the file descriptor, -1 once closed."""
        return self.wrapped.fileno()

    def shutdown(self, how: int) -> None:
        """Shut down one or both halves of the connection."""
        self.wrapped.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self.wrapped.close()
