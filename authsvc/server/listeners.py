"""Listening: opened once by the main process, whichever the engine, and told truly."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence

import structlog

from authsvc.config.model import ServerSettings

BACKLOG = 2048

_log = structlog.get_logger()


def listen(address: str) -> socket.socket:
    """Listen on ``host:port``, or end the program with one line that says why not.

    The socket does not block: of several processes that wait on it, one that
    finds it empty must not wait inside. On ``[::]`` it takes IPv4 as well.
    """
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        family, *_, place = found[0]
        both = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        listener = socket.create_server(
            place[:2], family=family, backlog=BACKLOG, dualstack_ipv6=both
        )
    except OSError as error:
        # Python adds the address to some of them.
        reason = str(error.strerror).partition(" (while ")[0]
        sys.exit(f"error: cannot listen on {address}: {reason}")
    listener.setblocking(False)
    return listener


def addresses(settings: ServerSettings) -> list[str]:
    """Return where to listen: for reviews, and for probes where they have a place of their own."""
    return [address for address in (settings.bind, settings.probes_bind) if address]


def warn_if_addresses_changed(opened: Sequence[str], wanted: ServerSettings) -> None:
    """Say at a reload that other addresses than the opened ones need a restart.

    Who lets go of one address to try another may end up with neither.
    """
    if addresses(wanted) != list(opened):
        _log.warning("listen_addresses_changed_restart_to_use_them", kept=list(opened))


def log_listening(listeners: Sequence[socket.socket], *, tls: bool) -> None:
    """Log where reviews are served, and probes where they have a listener of their own."""
    main, *others = (_address(each) for each in listeners)
    probes = {"probes": f"http://{others[0]}"} if others else {}
    _log.info("listening", address=f"{'https' if tls else 'http'}://{main}", **probes)


def _address(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
