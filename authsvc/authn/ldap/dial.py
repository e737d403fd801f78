"""From a server's name to a connection under TLS: resolve, connect, secure.

Each step is a method of its own, so that ``authsvc ldap check`` can walk them.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Hashable
from contextlib import suppress

from authsvc import metrics
from authsvc.authn.deadline import Deadline, resolve
from authsvc.authn.ldap.connection import Connection
from authsvc.authn.ldap.errors import Fault, ServerUnavailableError
from authsvc.authn.ldap.settings import TLS, Security, Server
from authsvc.reloading import fingerprint

ADDRESS_SECONDS = 30.0
"""How long a server's addresses are kept: the system's resolver has no cache of its own."""


class Dialler:
    """Opens connections to one server."""

    def __init__(self, server: Server, trust: Trust) -> None:
        self.server = server
        self._trust = trust
        self._addresses: tuple[str, ...] = ()
        self._resolved_at = -ADDRESS_SECONDS

    def dial(self, deadline: Deadline) -> Connection:
        """Return a connection, protected as the settings say and never less, not yet bound.

        Raises:
            ServerUnavailableError: there is none to be had before the deadline.
        """
        try:
            addresses = self.resolve(deadline)
            with metrics.LDAP_SECONDS.labels("connect").time():
                connection = self.connect(addresses, deadline)
        except TimeoutError:
            raise ServerUnavailableError(f"{self.server}: no answer in time", Fault.LATE) from None
        self.secure(connection, deadline)
        return connection

    def resolve(self, deadline: Deadline) -> tuple[str, ...]:
        """Return the server's addresses; the last known ones where the resolver fails."""
        known = self._addresses
        if time.monotonic() - self._resolved_at < ADDRESS_SECONDS:
            return known
        try:
            # Where there are known ones, time is left to use them.
            found = resolve(self.server.host, deadline.share(2) if known else deadline)
        except OSError as error:
            if known:
                return known
            late = isinstance(error, TimeoutError)
            reason = f"resolve: {error}" if late else "the name has no address"
            raise ServerUnavailableError(f"{self.server}: {reason}", Fault.NO_ADDRESS) from None
        self._addresses, self._resolved_at = found, time.monotonic()
        return found

    def connect(self, addresses: tuple[str, ...], deadline: Deadline) -> Connection:
        """Connect to the first address that takes it, none given more than its share of time."""
        reason = "no address"
        fault: Fault | None = None
        for index, address in enumerate(addresses):
            share = deadline.share(len(addresses) - index)
            try:
                sock = socket.create_connection((address, self.server.port), share.left())
            except TimeoutError:
                reason, fault = "no answer in time", Fault.LATE
            except ConnectionRefusedError:
                reason, fault = "connection refused", Fault.NOBODY_LISTENS
            except OSError as error:
                reason, fault = (error.strerror or str(error)).lower(), None
            else:
                with suppress(OSError):  # it may be reset by now, which the first use will show
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                return Connection(sock, str(self.server), deadline)
        raise ServerUnavailableError(f"{self.server}: connect: {reason}", fault)

    def secure(self, connection: Connection, deadline: Deadline) -> None:
        """Put TLS round a connection, where the settings do not say that there is none."""
        if self.server.security is Security.PLAINTEXT:
            return
        try:
            context = self._trust.context()
        except (OSError, ValueError) as error:
            connection.close()
            raise ServerUnavailableError(
                f"{self.server}: TLS files: {error}", Fault.TLS_FILES
            ) from None
        if self.server.security is Security.START_TLS:
            connection.start_tls(context, self.server.host, deadline)
        else:
            connection.secure(context, self.server.host, deadline)


class Trust:
    """The TLS context of a directory, made anew when one of its files changes."""

    def __init__(self, settings: TLS) -> None:
        self._settings = settings
        named = (settings.ca_file, settings.certificate_file, settings.key_file)
        self._files = [file for file in named if file is not None]
        self._made: tuple[Hashable, ssl.SSLContext] | None = None

    def context(self) -> ssl.SSLContext:
        """Return a context that checks certificates and host names.

        Raises:
            OSError, ValueError: a file cannot be read or is not what it should be.
        """
        seen = fingerprint(self._files)
        made = self._made
        if made is None or made[0] != seen:
            made = self._made = (seen, self._make())
        return made[1]

    def _make(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._settings.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._settings.certificate_file is not None:
            context.load_cert_chain(self._settings.certificate_file, self._settings.key_file)
        return context
