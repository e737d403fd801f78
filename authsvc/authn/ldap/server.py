"""One directory server as the rest sees it: who we are there, two pools, and its health."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable

from authsvc import metrics
from authsvc.authn.deadline import Deadline
from authsvc.authn.ldap.connection import INVALID_CREDENTIALS, SUCCESS, BindResult, Connection
from authsvc.authn.ldap.dial import Dialler, Trust
from authsvc.authn.ldap.errors import Fault, RefusedError
from authsvc.authn.ldap.pool import Pool
from authsvc.authn.ldap.settings import (
    ExternalBind,
    LDAPSettings,
    NoBind,
    Server,
    SimpleBind,
)
from authsvc.errors import BackendError, InvalidConfigurationError
from authsvc.reloading import fingerprint
from authsvc.secret_files import read_secret

REJECTED_SECONDS = 30.0
"""How long a service password that was refused is not tried again: directories lock accounts."""


class ServiceIdentity:
    """Who this service is to the directory; shared by all of its servers."""

    def __init__(self, settings: SimpleBind | ExternalBind | NoBind) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._rejected: tuple[Hashable, float] | None = None

    def bind(self, connection: Connection, deadline: Deadline) -> None:
        """Bind a new connection.

        Raises:
            RefusedError: the directory does not take us for who we say.
            BackendError: the password cannot be read.
        """
        match self._settings:
            case NoBind():
                return
            case ExternalBind():
                _expect_success(connection, connection.bind_external(deadline))
            case SimpleBind() as simple:
                self._bind_simple(simple, connection, deadline)

    def _bind_simple(self, simple: SimpleBind, connection: Connection, deadline: Deadline) -> None:
        seen = fingerprint([simple.password_file])
        with self._lock:
            rejected = self._rejected
        if rejected and rejected[0] == seen and time.monotonic() < rejected[1]:
            raise RefusedError(
                INVALID_CREDENTIALS,
                "the service's bind was refused a moment ago; not tried again",
                Fault.SERVICE_BIND,
            )
        result = connection.bind(simple.dn, read_password(simple), deadline)
        if result.code == INVALID_CREDENTIALS:
            with self._lock:
                self._rejected = (seen, time.monotonic() + REJECTED_SECONDS)
        _expect_success(connection, result)


def read_password(simple: SimpleBind) -> str:
    """Return the service's password.

    Raises:
        BackendError: the file cannot be read, is empty or is not UTF-8.
    """
    try:
        return read_secret(simple.password_file)
    except InvalidConfigurationError as error:
        raise BackendError(str(error)) from None


def _expect_success(connection: Connection, result: BindResult) -> None:
    if result.code != SUCCESS:
        raise RefusedError(
            result.code,
            f"{connection.server}: bind of the service: {result.diagnostic}",
            Fault.SERVICE_BIND,
        )


class DirectoryServer:
    """One server: connections to search with, connections to check passwords on, and its health.

    Passwords are checked on connections of their own, which never search: what
    one user's bind left on a connection is of no use to the next request.
    ``failures`` counts those in a row; it is 0 while the server is well.
    """

    def __init__(
        self, server: Server, settings: LDAPSettings, trust: Trust, identity: ServiceIdentity
    ) -> None:
        self.name = str(server)
        self.failures = 0
        self._dialler = Dialler(server, trust)
        self._identity = identity
        self.searches = Pool(self._open_search, settings.pool_size, settings.pool_idle)
        self.binds = Pool(self._open_bind, settings.pool_size, settings.pool_idle)

    def open(self) -> None:
        """Take up work, after a `close` as well; how it was before says nothing."""
        self.failures = 0
        self.searches.open()
        self.binds.open()

    def close(self) -> None:
        """Close its connections, those in use when they are given back."""
        self.searches.close()
        self.binds.close()

    def probe(self, deadline: Deadline) -> None:
        """Open and bind a connection; raise ServerUnavailableError where that cannot be done."""
        connection = self._dialler.dial(deadline)
        try:
            self._identity.bind(connection, deadline)
        except RefusedError:
            pass  # it answers: what is wrong is not the server
        finally:
            connection.close()

    def _open_search(self, deadline: Deadline) -> Connection:
        connection = self._dialler.dial(deadline)
        metrics.LDAP_CONNECTIONS.labels("search").inc()
        try:
            self._identity.bind(connection, deadline)
        except BackendError:
            connection.close()
            raise
        return connection

    def _open_bind(self, deadline: Deadline) -> Connection:
        connection = self._dialler.dial(deadline)
        metrics.LDAP_CONNECTIONS.labels("bind").inc()
        return connection
