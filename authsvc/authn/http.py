"""Outgoing HTTP to identity providers: pooled, verified, bounded in time and size.

Every call made through here only asks, so one whose pooled connection turns
out to be dead is asked again on a new one. Redirects are answers like any
other and never followed: a key or a verdict comes from the address that was
configured, and a credential goes nowhere else. What an answer means is the
caller's business.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlencode, urlsplit

import httpcore

from authsvc import __version__, metrics
from authsvc.authn.http_settings import HTTPSettings, url_fault
from authsvc.authn.http_streams import DeadlineBackend
from authsvc.errors import BackendError, ConfigError, InvalidConfigurationError

_HEADERS = [
    ("Accept", "application/json"),
    ("Accept-Encoding", "identity"),  # nothing that could unfold beyond the limit
    ("User-Agent", f"authsvc/{__version__}"),
]
# A connection that died while it was idle; the answer of a server that is up
# never looks like this.
_DIED = (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError)


class Response(NamedTuple):
    """What came back; ``headers`` are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's document.

        Raises:
            BackendError: it is not JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise BackendError(f"{self.url}: the answer is not JSON") from None

    def json_object(self) -> dict[str, Any]:
        """Return the body's document, which is to be an object.

        Raises:
            BackendError: it is not.
        """
        document = self.json()
        if not isinstance(document, dict):
            raise BackendError(f"{self.url}: the answer is not a JSON object")
        return document


class HTTPClient:
    """A pool of connections to one provider, shared by threads; ``name`` is for metrics.

    Nothing is opened before the first request, so a client may be made before
    a fork. Raises InvalidConfigurationError where the CA, the client's
    certificate or its key cannot be used.
    """

    def __init__(self, settings: HTTPSettings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._pool = httpcore.ConnectionPool(
            ssl_context=_ssl_context(settings, name),
            proxy=_proxy(settings.proxy) if settings.proxy else None,
            network_backend=DeadlineBackend(),
            max_connections=64,
            max_keepalive_connections=16,
            keepalive_expiry=60.0,
        )

    def deadline(self) -> float:
        """Return the moment (monotonic clock) by which an exchange begun now is over."""
        return time.monotonic() + self._settings.timeout

    def get(
        self, url: str, headers: Mapping[str, str] | None = None, *, deadline: float | None = None
    ) -> Response:
        """Ask for a document.

        Raises:
            BackendError: no whole answer within the deadline and the size.
        """
        return self._ask("GET", url, headers or {}, None, deadline)

    def post(
        self,
        url: str,
        form: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        *,
        deadline: float | None = None,
    ) -> Response:
        """Send a form.

        Raises:
            BackendError: no whole answer within the deadline and the size.
        """
        given = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self._ask("POST", url, given, urlencode(form).encode("ascii"), deadline)

    def post_json(
        self,
        url: str,
        document: object,
        headers: Mapping[str, str] | None = None,
        *,
        deadline: float | None = None,
    ) -> Response:
        """Send a JSON document.

        Raises:
            BackendError: no whole answer within the deadline and the size.
        """
        given = {"Content-Type": "application/json", **(headers or {})}
        return self._ask("POST", url, given, json.dumps(document).encode("utf-8"), deadline)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
        deadline: float | None,
    ) -> Response:
        where = url.partition("?")[0].rpartition("@")[2]
        if fault := url_fault(url):  # it may come from a discovery document, with a password
            raise BackendError(f"{where}: {fault}")
        until = self.deadline() if deadline is None else deadline
        try:
            try:
                response = self._exchange(method, url, headers, content, until)
            except _DIED:
                response = self._exchange(method, url, headers, content, until)
        except httpcore.TimeoutException:
            raise self._failed(where, "no answer in time") from None
        except _TooLargeError:
            limit = self._settings.max_response
            raise self._failed(where, f"the answer is over {limit} bytes") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError) as error:
            raise self._failed(where, str(error) or type(error).__name__) from None
        metrics.OUTGOING_REQUESTS.labels(self._name, str(response.status)).inc()
        return response

    def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
        deadline: float,
    ) -> Response:
        timeouts = {
            "connect": deadline,
            "read": deadline,
            "write": deadline,  # these three as DeadlineBackend wants them
            "pool": max(deadline - time.monotonic(), 0.0),
        }
        with self._pool.stream(
            method,
            url,
            headers=[*_HEADERS, *headers.items()],
            content=content,
            extensions={"timeout": timeouts},
        ) as response:
            body = bytearray()
            for chunk in response.iter_stream():
                body += chunk
                if len(body) > self._settings.max_response:
                    raise _TooLargeError
            names = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            }
            return Response(url.partition("?")[0], response.status, names, bytes(body))

    def _failed(self, where: str, why: str) -> BackendError:
        metrics.OUTGOING_REQUESTS.labels(self._name, "none").inc()
        return BackendError(f"{where}: {why}")


class _TooLargeError(Exception):
    """An answer beyond the limit."""


def _ssl_context(settings: HTTPSettings, name: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(
            cafile=str(settings.ca_file) if settings.ca_file else None,
            cadata=settings.ca_data or None,
        )
        if settings.client_cert_file:
            context.load_cert_chain(settings.client_cert_file, settings.client_key_file)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        message = f"its CA, client certificate or key cannot be used: {error}"
        raise InvalidConfigurationError([ConfigError(f"authenticator {name}", message)]) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _proxy(url: str) -> httpcore.Proxy:
    parts = urlsplit(url)
    auth = None
    if parts.username is not None:
        auth = (unquote(parts.username), unquote(parts.password or ""))
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return httpcore.Proxy(f"{parts.scheme}://{host}:{port}", auth=auth)
