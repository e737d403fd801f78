"""/livez, /readyz and /metrics, in the form that Kubernetes' own components have.

They need no client certificate: a kubelet's probe has none. ``?verbose`` lists
the parts. Why one is not well names files and quotes what is wrong in them:
that is for who is on the machine or has a client certificate, and "reason
withheld" for everybody else, as Kubernetes' components say to all.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from flask import Blueprint, Response, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client import REGISTRY as PROCESS_REGISTRY

from authsvc import tallies
from authsvc.webhook import peer

_READS = 5
_READ_AGAIN_SECONDS = 0.02

PATHS = ("/livez", "/readyz", "/healthz", "/metrics")


class Check(NamedTuple):
    """How a part is; ready with a ``detail``: it works, but not by its newest files."""

    name: str
    ready: bool
    detail: str = ""


def blueprint(checks: Callable[[], Sequence[Check]]) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("health", __name__)

    @routes.get("/livez")
    def livez() -> Response:
        return _health("livez", [Check("ping", ready=True)])

    @routes.get("/readyz")
    def readyz() -> Response:
        return _health("readyz", checks())

    @routes.get("/healthz")
    def healthz() -> Response:
        return _health("healthz", checks())

    @routes.get("/metrics")
    def metrics() -> Response:
        tallies.publish()
        return Response(_exposition(), content_type=CONTENT_TYPE_LATEST)

    return routes


def _health(name: str, checks: Sequence[Check]) -> Response:
    ready = all(check.ready for check in checks)
    if ready and "verbose" not in request.args:
        return _text("ok", 200)
    trusted = peer.is_trusted(request.environ)
    lines = [_line(check, trusted=trusted) for check in checks]
    lines.append(f"{name} check {'passed' if ready else 'failed'}")
    return _text("\n".join(lines) + "\n", 200 if ready else 503)


def _line(check: Check, *, trusted: bool) -> str:
    line = f"[{'+' if check.ready else '-'}]{check.name} {'ok' if check.ready else 'failed'}"
    if check.detail and not trusted:
        return f"{line}: reason withheld"
    first, *more = check.detail.splitlines() or [""]
    if first:
        line += f": {first}"
    if more:
        line += f" (and {len(more)} more)"
    return line


def _text(text: str, status: int) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8")


def _exposition() -> bytes:
    # Workers make their files and grow them without a lock: what is read at
    # that moment is half of one, and whole a moment later.
    for _ in range(_READS - 1):
        try:
            return generate_latest(_registry())
        except (struct.error, ValueError):
            time.sleep(_READ_AGAIN_SECONDS)
    return generate_latest(_registry())


def _registry() -> CollectorRegistry:
    """Return what to show: this process's metrics, or those of all workers together."""
    if values.ValueClass is values.MutexValue:
        return PROCESS_REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # untyped there
    return registry
