"""httpcore's network streams under a deadline for the whole of an exchange.

httpcore's timeouts hold for one read or write each, so a server that drips a
byte a second is never late. Here every timeout that httpcore hands down is
taken as a moment on the monotonic clock and turned into the time left until
then.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

from authsvc.authn.deadline import Deadline, resolve


def _deadline(timeout: float | None) -> Deadline:
    assert timeout is not None, "an exchange without a deadline"  # noqa: S101  a fault of ours
    return Deadline.at(timeout)


def _left(timeout: float | None) -> float:
    try:
        return _deadline(timeout).left()
    except TimeoutError:
        raise httpcore.ReadTimeout("deadline") from None


class DeadlineBackend(httpcore.NetworkBackend):
    """Opens TCP connections whose every operation ends by the deadline it is given as timeout."""

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Try each address of the host in turn, none for longer than its share of the time."""
        try:
            addresses = resolve(host, _deadline(timeout))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        for position, address in enumerate(addresses, start=1):
            share = _left(timeout) / (len(addresses) - position + 1)
            try:
                stream = self._backend.connect_tcp(
                    address, port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if position == len(addresses):
                    raise
            else:
                return DeadlineStream(stream)
        raise httpcore.ConnectError(f"{host} has no address")


class DeadlineStream(httpcore.NetworkStream):
    """A connection whose every operation ends by the deadline it is given as timeout."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what is there."""
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it."""
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Go on under TLS."""
        return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        """Say what the connection knows of itself, such as whether it can be read."""
        return self._stream.get_extra_info(info)
