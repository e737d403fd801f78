"""A connection of gunicorn's ASGI worker, and the short way of a review through it.

gunicorn makes a task, a scope and a handful of messages of each request, which costs
a review more than its answer does. So one that came in one piece and waits for
nothing is answered as soon as its last byte is parsed. By then it has gone through
all of gunicorn's checks of a request. Whatever is unusual about it goes on the long
way; so does a token that nobody remembers, which is looked for once more there.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import structlog
from gunicorn.asgi.protocol import ASGIProtocol, _get_cached_date_header

from authsvc.webhook.asgi import PROBES_ONLY, encoded_headers
from authsvc.webhook.clientcert import names_of

if TYPE_CHECKING:
    from authsvc.server.worker import Worker
    from authsvc.webhook.asgi import Receive, Scope, Send

_log = structlog.get_logger()

# gunicorn looks for its C parser once and keeps what it found on the class it
# asks, which must be its own and not the subclass below.
ASGIProtocol._check_h1c_protocol_available()  # noqa: SLF001


class Protocol(ASGIProtocol):  # type: ignore[misc]  # gunicorn ships no types
    """One connection."""

    worker: Worker
    app: Any
    transport: Any
    _answer: Any
    _body_receiver: Any
    _callback_parser: Any
    _current_request: Any
    _flow_control: Any
    _request_ready: Any
    _response_buffer: Any

    def __init__(self, worker: Worker, *, probes: bool) -> None:
        super().__init__(worker)
        self._probes = probes
        # Where there is more to each request than its answer, there is no short way.
        more = (
            probes
            or self.log.access_log_enabled
            or self._pre_request
            or self._post_request
            or not self._keepalive
        )
        self._answer = None if more else getattr(self.app, "answer_now", None)
        self._answered_at = -math.inf

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take a connection, or close it where there are too many."""
        self._timer: asyncio.TimerHandle | None = None
        self.active = 0
        self.transport = transport
        application = self.app
        extensions: dict[str, Any] = {PROBES_ONLY: {}} if self._probes else {}
        connection = transport.get_extra_info("ssl_object")
        names = None
        if connection is not None:
            names = names_of(connection.getpeercert())
            extensions["tls"] = {"client_cert_names": names}
        self._names = names
        # Without TLS whoever is on loopback is as good as anybody.
        anonymous = self._probes or (connection is not None and names is None)
        self._refused = not self.worker.connections.admit(self, anonymous=anonymous)
        if self._refused:
            transport.abort()
            return

        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            self._cancel_timer()
            scope["extensions"] = {**scope.get("extensions", {}), **extensions}
            self.active += 1
            if self.worker.draining:
                send = _announcing_the_end(send)
            try:
                await application(scope, receive, send)
            finally:
                self.active -= 1

        self.app = call
        self._timer = self.worker.loop.call_later(
            self.worker.header_timeout, self._header_timeout, transport
        )
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes, unless the connection was refused."""
        if not self._refused:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._cancel_timer()
        if not self._refused:
            self.worker.connections.discard(self)
            super().connection_lost(exc)
            if self._task is None:
                self._let_go()
            else:
                self._task.add_done_callback(self._let_go)

    def close(self) -> None:
        """Close the connection, once all is sent."""
        self.transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    def _feed_callback_parser(self, data: bytes) -> bool:
        """Parse bytes; returns whether the connection goes on."""
        goes_on: bool
        before = self._current_request
        if before is not None or self._answer is None or self._h2c_upgrade_ok:
            goes_on = super()._feed_callback_parser(data)
            return goes_on
        # gunicorn sets this event, where there is one, to begin the long way.
        ready, self._request_ready = self._request_ready, None
        try:
            goes_on = super()._feed_callback_parser(data)
        finally:
            self._request_ready = ready
        if self._current_request is not None and not (goes_on and self._answer_now()):
            ready.set()
        return goes_on

    def _answer_now(self) -> bool:
        """Answer the request that was parsed, if it is a review that can be; then forget it."""
        request, received, worker = self._current_request, self._body_receiver, self.worker
        if (
            not received._complete  # noqa: SLF001
            or worker.draining
            or not worker.alive
            or worker.nr + 1 >= worker.max_requests
            or self._closed
            or self._flow_control.write_paused
            or request.version != (1, 1)
            or request.should_close()
            or request.may_upgrade()
            or self._callback_parser.remaining()
        ):
            return False
        body = b"".join(received._chunks)  # noqa: SLF001
        try:
            answer = self._answer(request.path, request.method, self._names, body)
            if answer is None:
                return False
            head = self._head(answer.status)
        except Exception:  # noqa: BLE001  the long way has an answer to it
            _log.error("short_way_crashed", exc_info=True)
            return False
        worker.nr += 1
        length = len(answer.body)
        self._safe_write(b"%bcontent-length: %d\r\n\r\n%b" % (head, length, answer.body))
        self._callback_parser.reset()
        self._current_request = self._body_receiver = None
        self._cancel_timer()
        self._answered_at = worker.loop.time()
        if self._keepalive_handle is None:
            self._arm_keepalive_timer()
        return True

    def _head(self, status: int) -> bytes:
        """Return an answer's head as gunicorn writes it, but for the length and the empty line."""
        heads, date = self.worker.heads, _get_cached_date_header()
        kept = heads.get(status)
        if kept is not None and kept[0] is date:
            return kept[1]
        self._send_response_start(status, encoded_headers(status), self._current_request)
        head: bytes = self._response_buffer.removesuffix(b"\r\n")
        self._response_buffer = None
        heads[status] = (date, head)
        return head

    def _keepalive_timeout(self) -> None:
        # The timer was set at an earlier request: a new one for each would cost
        # more than to look here.
        left = self._answered_at + self._keepalive - self.worker.loop.time()
        if left > 0:
            self._keepalive_handle = self.worker.loop.call_later(left, self._keepalive_timeout)
        else:
            super()._keepalive_timeout()

    def _let_go(self, *_: object) -> None:
        """Leave no cycle behind: only a full collection would find it, and those are rare."""
        self.app = self.transport = self.writer = None
        self._callback_parser = self._flow_control = None
        self._current_request = self._body_receiver = None

    def _header_timeout(self, transport: asyncio.Transport) -> None:
        # Only the first request is timed here. Later ones fall under the
        # keep-alive time, which gunicorn runs until a header is whole.
        transport.abort()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _announcing_the_end(send: Send) -> Send:
    async def sending(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            others = [header for header in message["headers"] if header[0] != b"connection"]
            message = {**message, "headers": [*others, (b"connection", b"close")]}
        await send(message)

    return sending
