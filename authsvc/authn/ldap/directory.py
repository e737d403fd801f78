"""A directory behind one or more servers: which of them is asked, and when one is left alone.

Servers are asked in order. One that failed is asked after those that did not;
one that failed `BROKEN_AFTER` times in a row is not asked at all. A failed
server is probed in the background until it answers, and then has its place
again. So a dead server costs a request or two, and a directory that is down
altogether does not cost each request its whole deadline.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import structlog

from authsvc import metrics
from authsvc.authn.deadline import Deadline
from authsvc.authn.ldap.connection import BindResult, Search
from authsvc.authn.ldap.dial import Trust
from authsvc.authn.ldap.entry import Entry
from authsvc.authn.ldap.errors import ServerUnavailableError
from authsvc.authn.ldap.server import DirectoryServer, ServiceIdentity
from authsvc.authn.ldap.settings import SRV, LDAPSettings, Server
from authsvc.authn.ldap.srv import ServiceRecords
from authsvc.errors import BackendError

T = TypeVar("T")

BROKEN_AFTER = 3
PROBE_SECONDS = 1.0

_log = structlog.get_logger()


class Directory:
    """Searches and binds at whichever server answers, before a deadline.

    Every method raises:
        RefusedError: a server answered that it will not; no other is asked.
        BackendError: none answered.
    """

    def __init__(self, settings: LDAPSettings, name: str = "ldap") -> None:
        self._settings = settings
        self._name = name
        self._trust = Trust(settings.tls)
        self._identity = ServiceIdentity(settings.bind)
        servers = settings.servers
        self._addresses: Callable[[Deadline], tuple[Server, ...]]
        if isinstance(servers, SRV):
            self._addresses = ServiceRecords(servers).servers
        else:
            self._addresses = lambda _: servers
        self._known: dict[Server, DirectoryServer] = {}
        self._lock = threading.Lock()
        self._probing: set[str] = set()
        self._stop = threading.Event()

    def search(self, search: Search, deadline: Deadline) -> tuple[Entry, ...]:
        """Return all entries that match."""
        page = self._settings.page_size
        return self._run(
            lambda server, until: server.searches.run(
                lambda connection, share: connection.search(search, page, share), until
            ),
            deadline,
        )

    def bind(self, dn: str, password: str, deadline: Deadline) -> BindResult:
        """Return what the directory says to a name and a password."""
        return self._run(
            lambda server, until: server.binds.run(
                lambda connection, share: connection.bind(dn, password, share), until
            ),
            deadline,
        )

    def servers(self, deadline: Deadline) -> tuple[DirectoryServer, ...]:
        """Return the servers in the order of the settings, or of DNS."""
        addresses = self._addresses(deadline)
        with self._lock:
            gone = [self._known.pop(each) for each in set(self._known) - set(addresses)]
            for address in addresses:
                if address not in self._known:
                    self._known[address] = self._made(address)
            servers = tuple(self._known[address] for address in addresses)
        for server in gone:
            server.close()
        return servers

    def open(self) -> None:
        """Take up work, after a `close` as well."""
        self._stop.clear()
        for server in self._all():
            server.open()

    def close(self) -> None:
        """Close all connections and stop probing."""
        self._stop.set()
        for server in self._all():
            server.close()

    def _made(self, address: Server) -> DirectoryServer:
        server = DirectoryServer(address, self._settings, self._trust, self._identity)
        metrics.LDAP_SERVER_UP.labels(server.name).set(1)
        return server

    def _all(self) -> tuple[DirectoryServer, ...]:
        with self._lock:
            return tuple(self._known.values())

    def _run(self, operation: Callable[[DirectoryServer, Deadline], T], deadline: Deadline) -> T:
        if deadline.left() < self._settings.deadline / 10:
            # Spent on waiting for others: whoever is asked now would seem to fail.
            raise BackendError("no time is left to ask the directory")
        candidates = self._candidates(deadline)
        if not candidates:
            raise BackendError("no LDAP server answers")
        reasons: list[str] = []
        last: ServerUnavailableError | None = None
        for index, server in enumerate(candidates):
            try:
                answer = operation(server, deadline.share(len(candidates) - index))
            except ServerUnavailableError as error:
                self._failed(server, error)
                reasons.append(str(error))
                last = error
            else:
                if server.failures:
                    self._recovered(server)
                return answer
        raise BackendError("; ".join(reasons)) from last

    def _candidates(self, deadline: Deadline) -> list[DirectoryServer]:
        whole = [each for each in self.servers(deadline) if each.failures < BROKEN_AFTER]
        return sorted(whole, key=lambda server: server.failures > 0)

    def _failed(self, server: DirectoryServer, error: ServerUnavailableError) -> None:
        with self._lock:
            server.failures += 1
            probe = server.name not in self._probing and not self._stop.is_set()
            if probe:
                self._probing.add(server.name)
        metrics.LDAP_SERVER_FAILURES.labels(server.name).inc()
        metrics.LDAP_SERVER_UP.labels(server.name).set(0)
        _log.warning("ldap_server_failed", authenticator=self._name, error=str(error))
        if probe:
            threading.Thread(
                target=self._probe, args=(server,), name=f"ldap-probe-{server.name}", daemon=True
            ).start()

    def _recovered(self, server: DirectoryServer) -> None:
        with self._lock:
            server.failures = 0
        metrics.LDAP_SERVER_UP.labels(server.name).set(1)
        _log.info("ldap_server_answers_again", authenticator=self._name, server=server.name)

    def _probe(self, server: DirectoryServer) -> None:
        """Try a server until it answers or nobody needs it."""
        while not self._stop.wait(PROBE_SECONDS) and self._is_wanted(server):
            try:
                server.probe(Deadline(self._settings.deadline))
            except BackendError:
                continue
            except Exception:  # noqa: BLE001  whatever it is, nobody else would find it well again
                _log.exception("ldap_probe_crashed", server=server.name)
                continue
            self._recovered(server)
        with self._lock:
            self._probing.discard(server.name)

    def _is_wanted(self, server: DirectoryServer) -> bool:
        """Whether a failed server is still to be probed; if not, the next failure starts anew."""
        with self._lock:
            wanted = server.failures > 0 and server in self._known.values()
            if not wanted:
                self._probing.discard(server.name)
            return wanted
