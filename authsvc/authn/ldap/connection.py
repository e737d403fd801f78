"""One connection to one server: TCP, TLS, binding and searching, all before a deadline.

ldap3 is used for the protocol's messages alone. What it would do by itself is
not left to it:

- the socket is opened here, with TLS by Python's own rules (certificate and
  host name are checked; ldap3's default checks neither);
- a connection that ended is never opened again by ldap3, which would do so
  without StartTLS;
- referrals are not followed (it would send the credentials along), aliases are
  not dereferenced, schema and server info are not fetched;
- filters are escaped by `names`, so its own guessing (``auto_escape``) is off;
- passwords go out as the bytes they are: a ``str`` would be changed by SASLprep;
- each result code is looked at, and each exception.
"""

from __future__ import annotations

import math
import select
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import ldap3
from ldap3.core.exceptions import LDAPInvalidFilterError
from ldap3.operation.search import search_operation

from authsvc import metrics
from authsvc.authn.deadline import Deadline
from authsvc.authn.ldap.entry import Entry
from authsvc.authn.ldap.errors import EntryError, Fault, RefusedError, ServerUnavailableError
from authsvc.authn.ldap.ranges import Attributes, completed
from authsvc.authn.ldap.settings import Scope
from authsvc.authn.ldap.sockets import DeadlineSocket

T = TypeVar("T")

SUCCESS = 0
SIZE_LIMIT_EXCEEDED = 4
CONSTRAINT_VIOLATION = 19
NO_SUCH_OBJECT = 32
INVALID_DN_SYNTAX = 34
INAPPROPRIATE_AUTHENTICATION = 48
INVALID_CREDENTIALS = 49
BUSY = 51
UNAVAILABLE = 52
UNWILLING_TO_PERFORM = 53

_START_TLS = "1.3.6.1.4.1.1466.20037"
_PAGED_RESULTS = "1.2.840.113556.1.4.319"

# OpenSSL's X509_V_ERR_… (openssl/x509_vfy.h). Of an authority: the issuer's certificate
# is not to be had, the certificate or the end of its chain is self-signed.
_CERTIFICATE_FAULTS = {
    **dict.fromkeys((2, 18, 19, 20, 21), Fault.AUTHORITY),
    10: Fault.EXPIRED,
    62: Fault.OTHER_HOST,  # the name
    64: Fault.OTHER_HOST,  # the address
}


class Search(NamedTuple):
    """What is searched for. ``limit`` 0: all of it, page by page."""

    base: str
    scope: Scope
    filter: str
    attributes: tuple[str, ...]
    limit: int = 0


class BindResult(NamedTuple):
    """What a server said to a bind."""

    code: int
    diagnostic: str


class Connection:
    """A connection that is up. One thread at a time; closed for good by its first failure."""

    def __init__(self, sock: socket.socket, server: str, deadline: Deadline) -> None:
        self.server = server
        self._socket = DeadlineSocket(sock, deadline)
        self._ldap: Any = ldap3.Connection(
            ldap3.Server("unused", get_info=ldap3.NONE, allowed_referral_hosts=[]),
            client_strategy=ldap3.SYNC,
            auto_bind=ldap3.AUTO_BIND_NONE,
            auto_referrals=False,
            auto_range=False,
            check_names=False,
            raise_exceptions=False,
            return_empty_attributes=False,
            auto_escape=False,
            auto_encode=False,
            read_only=True,
        )
        # What ldap3's own `open` does, but for opening.
        self._ldap.open = self._ldap.strategy.open = _never_open
        self._ldap.strategy._outstanding = {}  # noqa: SLF001  it has no public form
        self._ldap.socket = self._socket
        self._ldap.closed = False
        self._ldap.listening = True

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        return bool(self._ldap.closed)

    @property
    def stale(self) -> bool:
        """Whether the server has closed it, or said something nobody asked for."""
        if self.closed:
            return True
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return bool(poll.poll(0))

    @property
    def protection(self) -> str:
        """What protects it, in words: the TLS version, and until when the certificate is good."""
        sock = self._socket.wrapped
        if not isinstance(sock, ssl.SSLSocket):
            return "nothing: passwords are sent in the clear"
        certificate = sock.getpeercert() or {}
        return f"{sock.version()}, certificate good until {certificate.get('notAfter')}"

    def secure(self, context: ssl.SSLContext, host: str, deadline: Deadline) -> None:
        """Put TLS round the connection."""
        try:
            self._socket.deadline = deadline
            self._socket.secure(context, host)
        except (OSError, ValueError) as error:
            self.close()
            raise ServerUnavailableError(
                f"{self.server}: TLS: {tls_reason(error, host)}", tls_fault(error)
            ) from None

    def start_tls(self, context: ssl.SSLContext, host: str, deadline: Deadline) -> None:
        """Ask for TLS and put it round the connection (RFC 4511, section 4.14)."""
        self._do("StartTLS", deadline, lambda: self._ldap.extended(_START_TLS))
        code, message = self._result()
        if code != SUCCESS:
            self.close()
            raise ServerUnavailableError(
                f"{self.server}: StartTLS refused: {message}", Fault.NO_START_TLS
            )
        self.secure(context, host, deadline)

    def bind(self, dn: str, password: str, deadline: Deadline) -> BindResult:
        """Bind with a name and a password, neither of them empty (RFC 4513, section 5.1).

        Raises:
            ServerUnavailableError: there was no answer.
        """
        if not dn or not password:
            # An unauthenticated bind would succeed on many servers.
            raise ValueError("a bind needs a name and a password")
        self._ldap.authentication = ldap3.SIMPLE
        self._ldap.user = dn
        self._ldap.password = password.encode()
        try:
            self._do("bind", deadline, lambda: self._ldap.bind(read_server_info=False))
        finally:
            self._ldap.password = None
            self._ldap.request = None  # ldap3 keeps the last one, in the clear
        return self._bind_result()

    def bind_external(self, deadline: Deadline) -> BindResult:
        """Bind as the client certificate's subject (SASL EXTERNAL)."""
        self._ldap.authentication = ldap3.SASL
        self._ldap.sasl_mechanism = ldap3.EXTERNAL
        self._ldap.sasl_credentials = b""
        self._do("bind", deadline, lambda: self._ldap.bind(read_server_info=False))
        return self._bind_result()

    def search(self, search: Search, page_size: int, deadline: Deadline) -> tuple[Entry, ...]:
        """Return all entries that match, with all values of the attributes.

        Continuation references are left out: what is elsewhere is not of this
        directory, and nobody is sent there with credentials.

        Raises:
            RefusedError: the server did not answer with all of it.
            EntryError: it did not answer with all values of an attribute.
            ServerUnavailableError: there was no answer.
        """
        # Not between two pages: some servers keep the state of one search alone.
        entries = self._search(search, page_size, deadline)
        return tuple(self._completed(entry, deadline) for entry in entries)

    def close(self) -> None:
        """End it, without a word to the server."""
        self._ldap.closed = True
        self._ldap.listening = False
        with suppress(OSError):
            self._socket.close()

    def _completed(self, entry: Entry, deadline: Deadline) -> Entry:
        def more(name: str) -> Attributes:
            search = Search(entry.dn, Scope.BASE, "(objectClass=*)", (name,), limit=1)
            found = self._search(search, 1, deadline)
            return found[0].attributes if found else {}

        try:
            return Entry(entry.dn, completed(entry.attributes, more))
        except (EntryError, RefusedError) as error:
            # An entry that went away meanwhile is no user who never was.
            raise EntryError(f"{entry.dn}: {error}") from None

    def _search(self, search: Search, page_size: int, deadline: Deadline) -> list[Entry]:
        entries: list[Entry] = []
        cookie: bytes | None = None
        while True:
            self._search_page(search, page_size, cookie, deadline)
            entries += (
                _entry(found, self.server)
                for found in self._ldap.response
                if found["type"] == "searchResEntry"
            )
            code, message = self._result()
            controls = self._ldap.result.get("controls") or {}
            self._ldap.response = None
            if code in {BUSY, UNAVAILABLE}:
                raise ServerUnavailableError(f"{self.server}: search: {message}")
            if code != SUCCESS and not (search.limit and code == SIZE_LIMIT_EXCEEDED):
                raise RefusedError(code, f"{self.server}: search below {search.base!r}: {message}")
            cookie = controls.get(_PAGED_RESULTS, {}).get("value", {}).get("cookie")
            if search.limit or not cookie:
                return entries

    def _search_page(
        self, search: Search, page_size: int, cookie: bytes | None, deadline: Deadline
    ) -> None:
        paging = {} if search.limit else {"paged_size": page_size, "paged_cookie": cookie}
        self._do(
            "search",
            deadline,
            lambda: self._ldap.search(
                search.base,
                search.filter,
                search.scope.value,
                dereference_aliases=ldap3.DEREF_NEVER,
                attributes=list(search.attributes) or [ldap3.NO_ATTRIBUTES],
                size_limit=search.limit,
                time_limit=math.ceil(deadline.left()),
                **paging,
            ),
        )

    def _do(self, operation: str, deadline: Deadline, call: Callable[[], object]) -> None:
        """Do one exchange. Whatever goes wrong in it is the end of the connection."""
        if self.closed:
            raise ServerUnavailableError(f"{self.server}: the connection is closed")
        self._socket.deadline = deadline
        try:
            with metrics.LDAP_SECONDS.labels(operation).time():
                call()
        except LDAPInvalidFilterError as error:
            raise RefusedError(0, f"not a filter: {error}") from None
        except Exception as error:  # noqa: BLE001  ldap3 raises what it likes on a malformed answer
            self.close()
            # Not chained: a message of the encoder may hold what it encoded.
            late = _is_late(error)
            reason = "no answer in time" if late else "the connection broke off"
            raise ServerUnavailableError(
                f"{self.server}: {operation}: {reason}", Fault.LATE if late else None
            ) from None

    def _result(self) -> tuple[int, str]:
        result = self._ldap.result
        code = int(result["result"])
        text = f"{result['description']} ({code})"
        detail = " ".join(str(result["message"]).split())
        return code, f"{text}: {detail[:200]}" if detail else text

    def _bind_result(self) -> BindResult:
        code, message = self._result()
        if code in {BUSY, UNAVAILABLE}:
            raise ServerUnavailableError(f"{self.server}: bind: {message}")
        return BindResult(code, message)


def check_filter(filter_: str) -> None:
    """Raise ValueError where the text is not a search filter (RFC 4515)."""
    try:
        search_operation(
            *("", filter_, ldap3.BASE, ldap3.DEREF_NEVER, [], 0, 0, True),
            auto_escape=False,
            auto_encode=False,
        )
    except Exception as error:  # noqa: BLE001  its parser raises what it likes
        reason = str(error) if isinstance(error, LDAPInvalidFilterError) else "malformed filter"
        raise ValueError(reason) from None


def tls_reason(error: OSError | ValueError, host: str) -> str:
    """Say in an administrator's words why TLS was not established."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted for {host}: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):  # which one: Python's version
        return "the connection broke off"
    if isinstance(error, ssl.SSLError):
        return str(error.reason or "not TLS").lower().replace("_", " ")
    return str(error.strerror if isinstance(error, OSError) and error.strerror else "broken off")


def tls_fault(error: OSError | ValueError) -> Fault | None:
    """Say what it is due to that TLS was not established, None where that is not known."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE_FAULTS.get(error.verify_code)
    return Fault.LATE if isinstance(error, TimeoutError) else Fault.NO_TLS


def _entry(found: Any, server: str) -> Entry:
    try:
        return Entry(bytes(found["raw_dn"]).decode(), found["raw_attributes"])
    except UnicodeDecodeError:
        raise RefusedError(0, f"{server}: an entry's name is not UTF-8") from None


def _is_late(error: Exception) -> bool:
    # ldap3 makes its errors anew from the text of the one below.
    return isinstance(error, TimeoutError) or any(
        words in str(error) for words in ("timed out", "deadline")
    )


def _never_open(*_: object, **__: object) -> None:
    raise ConnectionError("the connection is closed")
