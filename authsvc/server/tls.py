"""The listener's TLS: renewed certificates are served without a restart.

A listener has one context for as long as it lives. This one makes each
handshake by the newest.
"""

from __future__ import annotations

import ssl
from typing import Any, Self

from authsvc.certificates import Certificates
from authsvc.reloading import Reloading


class FollowingContext(ssl.SSLContext):
    """A context whose connections are those of whatever context is newest when they begin.

    Handing on in ``sni_callback`` would not do: OpenSSL looks for a session to
    resume before it calls that, among those of the first context, and a resumed
    session skips the check of the client's certificate. A new context knows no
    sessions, so none outlives the CAs that it was verified by.
    """

    _newest: Reloading[Certificates]

    def __new__(cls, newest: Reloading[Certificates]) -> Self:
        """Make a context that has nothing of its own."""
        context = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        context._newest = newest
        return context

    def wrap_bio(self, *arguments: Any, **keywords: Any) -> ssl.SSLObject:
        """Begin a connection; asyncio and uvloop do it here."""
        return self._newest.current.context.wrap_bio(*arguments, **keywords)
