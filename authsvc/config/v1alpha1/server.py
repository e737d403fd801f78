"""``server``: how the service listens."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

import msgspec

from authsvc.config.model import Engine, ServerSettings, TLSSettings
from authsvc.decoding.structs import Duration, Place, Wire, seconds

Count = Annotated[int, msgspec.Meta(ge=1)]

# kube-apiserver closes its idle connections after 90 s. A connection closed
# from this side under a request is an error to the user, so ours must outlast it.
_API_SERVER_IDLE_SECONDS = 90

_NO_NAMES = (
    "engine Granian cannot tell clients of one CA apart: remove this line, and let clientCAFile"
    " hold a CA that signs for the API server alone, or take engine Gunicorn"
)


class TLS(Wire, frozen=True):
    """Certificates of the listener, and of those who may ask reviews of it."""

    cert_file: str
    key_file: str
    client_ca_file: str = msgspec.field(name="clientCAFile")
    allowed_client_names: tuple[str, ...] = ()
    min_version: Literal["VersionTLS12", "VersionTLS13"] = "VersionTLS12"

    def to_settings(self, at: Place) -> TLSSettings:
        """Convert to the internal model."""
        return TLSSettings(
            cert_file=at.field("certFile").existing_file(self.cert_file),
            key_file=at.field("keyFile").existing_file(self.key_file),
            client_ca_file=at.field("clientCAFile").existing_file(self.client_ca_file),
            allowed_client_names=frozenset(self.allowed_client_names),
            min_version=self.min_version,
        )


class Probes(Wire, frozen=True):
    """A plain HTTP listener for /livez, /readyz and /metrics alone; empty for none."""

    bind: str = ""


class Server(Wire, frozen=True):
    """The listener of the reviews."""

    engine: Engine = Engine.GUNICORN
    bind: str = "127.0.0.1:8443"
    tls: TLS | None = None
    probes: Probes = Probes()
    workers: Count = 2
    threads: Count = 64
    keep_alive: Duration = "120s"
    header_timeout: Duration = "10s"
    body_timeout: Duration = "10s"
    stop_timeout: Duration = "10s"
    max_body_bytes: Count = 3 * 1024 * 1024
    max_connections: Count = 20000

    def to_settings(self, at: Place) -> ServerSettings:
        """Convert to the internal model."""
        host = _check_address(self.bind, at.field("bind"))
        if self.tls is None and not _is_loopback(host):
            at.field("tls").error(f"required to listen on {self.bind}, which is not loopback")
        if self.probes.bind:
            place = at.field("probes").field("bind")
            _check_address(self.probes.bind, place)
            if _meet(self.bind, self.probes.bind):
                place.error(f"takes the port of server.bind, {self.bind}: give it one of its own")
        for name, duration in (
            ("headerTimeout", self.header_timeout),
            ("bodyTimeout", self.body_timeout),
            ("stopTimeout", self.stop_timeout),
        ):
            if not seconds(duration):
                at.field(name).error("must be over 0s")
        if seconds(self.keep_alive) <= _API_SERVER_IDLE_SECONDS:
            at.field("keepAlive").error(
                "must be over 90s, the time the API server keeps an idle connection"
            )
        if self.engine is Engine.GRANIAN and self.tls and self.tls.allowed_client_names:
            at.field("tls").field("allowedClientNames").error(_NO_NAMES)
        return ServerSettings(
            bind=self.bind,
            tls=self.tls.to_settings(at.field("tls")) if self.tls else None,
            probes_bind=self.probes.bind or None,
            workers=self.workers,
            threads=self.threads,
            keep_alive=seconds(self.keep_alive),
            header_timeout=seconds(self.header_timeout),
            body_timeout=seconds(self.body_timeout),
            stop_timeout=seconds(self.stop_timeout),
            max_body=self.max_body_bytes,
            max_connections=self.max_connections,
            engine=self.engine,
        )


def _check_address(address: str, at: Place) -> str:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        at.error(f"expected host:port, such as 127.0.0.1:8443, got {address!r}")
    elif host in {"", "*"}:
        at.error(f"names no host; all interfaces are 0.0.0.0:{port}, or [::]:{port} with IPv6")
    return host.strip("[]")


def _meet(one: str, other: str) -> bool:
    """Whether two addresses are one to the system, which opens each but once."""
    (host, _, port), (other_host, _, other_port) = one.rpartition(":"), other.rpartition(":")
    everywhere = {"0.0.0.0", "[::]"} & {host, other_host}  # noqa: S104  names of all interfaces
    return port == other_port != "0" and (host == other_host or bool(everywhere))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
