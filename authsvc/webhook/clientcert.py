"""The names of a client's certificate, as `ssl` shows it after having verified it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def names_of(certificate: Mapping[str, Any] | None) -> frozenset[str] | None:
    """Return the common names and DNS names of a verified certificate, None where there is none.

    ``certificate`` is what `ssl.SSLSocket.getpeercert` returns: empty for a
    certificate that was not verified, which counts as none.
    """
    if not certificate:
        return None
    common = {
        value
        for relative_name in certificate.get("subject", ())
        for key, value in relative_name
        if key == "commonName"
    }
    alternative = {value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"}
    return frozenset(common | alternative)
