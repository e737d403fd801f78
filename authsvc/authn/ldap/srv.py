"""Servers named by DNS SRV records (RFC 2782), kept for as long as the records say."""

from __future__ import annotations

import random
import threading
import time

import dns.exception
import dns.resolver
import structlog

from authsvc.authn.deadline import Deadline
from authsvc.authn.ldap.settings import SRV, Server, parse_nameserver
from authsvc.errors import BackendError

_LEAST_SECONDS, _MOST_SECONDS = 30.0, 3600.0

_log = structlog.get_logger()


class ServiceRecords:
    """The servers of one SRV name. Where DNS fails the last known ones stay."""

    def __init__(self, settings: SRV) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._servers: tuple[Server, ...] = ()
        self._until = 0.0

    def servers(self, deadline: Deadline) -> tuple[Server, ...]:
        """Return the servers by priority, those of one priority in an order drawn by weight.

        Raises:
            BackendError: there are none, and there never were.
        """
        if self._servers and time.monotonic() < self._until:
            return self._servers
        # While one thread asks, the others go on with what is known.
        if not self._lock.acquire(blocking=not self._servers):
            return self._servers
        try:
            if not self._servers or time.monotonic() >= self._until:
                self._refresh(deadline)
        finally:
            self._lock.release()
        return self._servers

    def _refresh(self, deadline: Deadline) -> None:
        try:
            self._servers, ttl = self._look_up(deadline)
        except (dns.exception.DNSException, OSError) as error:
            if not self._servers:
                raise BackendError(
                    f"DNS has no servers for {self._settings.name}: {type(error).__name__}"
                ) from None
            _log.warning("ldap_srv_failed", name=self._settings.name, error=type(error).__name__)
            ttl = 0.0
        self._until = time.monotonic() + min(max(ttl, _LEAST_SECONDS), _MOST_SECONDS)

    def _look_up(self, deadline: Deadline) -> tuple[tuple[Server, ...], float]:
        answer = _resolver(self._settings.nameservers).resolve(
            self._settings.name, "SRV", lifetime=deadline.share(2).left(), search=False
        )
        records = [
            (int(each.priority), int(each.weight), str(each.target).rstrip("."), int(each.port))
            for each in answer
        ]
        servers = []
        for _, _, host, port in sorted(records, key=_draw):
            if not _is_within(host, self._settings.domain):
                _log.warning("ldap_srv_target_refused", name=self._settings.name, target=host)
                continue
            servers.append(
                Server(
                    host=host, port=self._settings.port or port, security=self._settings.security
                )
            )
        if not servers:
            raise dns.resolver.NoAnswer
        return tuple(servers), float(answer.rrset.ttl if answer.rrset else 0)


def _draw(record: tuple[int, int, str, int]) -> tuple[int, float]:
    """Order by priority; within one, first with a probability in proportion to the weight."""
    priority, weight, _, _ = record
    draw = random.expovariate(weight) if weight else float("inf")
    return priority, draw


def _is_within(host: str, domain: str) -> bool:
    return f".{host}".lower().endswith(f".{domain}".lower())


def _resolver(nameservers: tuple[str, ...]) -> dns.resolver.Resolver:
    if not nameservers:
        return dns.resolver.Resolver()
    resolver = dns.resolver.Resolver(configure=False)
    for nameserver in nameservers:
        address, port = parse_nameserver(nameserver)
        resolver.nameserver_ports[address] = port
        resolver.nameservers = [*resolver.nameservers, address]
    return resolver
