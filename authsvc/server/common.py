"""What both engines do alike: reload all or nothing, share memory, and stop."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from typing import TypeVar

import structlog

from authsvc.errors import AuthsvcError
from authsvc.webhook.line_writer import CLOSE_SECONDS

T = TypeVar("T")

# For how long a stopping worker goes on answering: clients learn of its end with
# an answer, and not by a closed connection.
LINGER_SECONDS = 1.0

# What a worker may take for its end besides waiting for requests.
CLOSING_SECONDS = math.ceil(CLOSE_SECONDS) + 3

_log = structlog.get_logger()


def renewed(make: Callable[[], T]) -> T | None:
    """Return what a reload makes; None where it fails, which is logged: the last good stays."""
    try:
        return make()
    except (AuthsvcError, OSError) as error:
        _log.error("reload_failed_last_good_kept", part="server", error=str(error))
    except Exception:  # noqa: BLE001  a fault of ours must not end what works
        _log.error("reload_crashed", part="server", exc_info=True)
    return None


def freeze_loaded() -> None:
    """Exempt what is loaded by now from the collector, before a fork: the pages stay shared.

    What a reload has replaced since the last fork is thawed, to be collected.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
