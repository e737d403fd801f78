"""The listener's certificates for Granian, whose workers read them from files when they start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from granian.constants import SSLProtocols

from authsvc.config.model import TLSSettings

_PROTOCOLS = {"VersionTLS12": SSLProtocols.tls12, "VersionTLS13": SSLProtocols.tls13}


class HeldTLS:
    """Certificates that were found good, kept for each worker that is still to come.

    It is a copy in memory: a worker that replaces another must find the last
    good, whatever the files hold by then.

    ``context`` is what Granian makes of its settings, for its workers.
    """

    def __init__(self, tls: TLSSettings | None) -> None:
        """Copy the files.

        Raises:
            OSError: a file went away since it was found good.
        """
        self._files: list[int] = []
        if tls is None:
            self.context: tuple[Any, ...] = (False, None, None, None, "", None, [], False)
            return
        contents = [path.read_bytes() for path in (tls.cert_file, tls.key_file, tls.client_ca_file)]
        certificate, key, clients = map(self._hold, contents)
        password = None  # `certificates` has loaded the key without one
        least = str(_PROTOCOLS[tls.min_version])
        self.context = (True, certificate, key, password, least, clients, [], True)

    def close(self) -> None:
        """Let go of the copies; workers that run have theirs."""
        for file in self._files:
            os.close(file)

    def _hold(self, content: bytes) -> str:
        file = os.memfd_create("authsvc-tls")
        self._files.append(file)
        path = f"/proc/self/fd/{file}"
        Path(path).write_bytes(content)
        return path
