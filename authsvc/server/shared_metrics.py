"""Metrics that all workers count together.

prometheus-client keeps them in a file per worker, in a folder that must be known
before it is first imported; so this module imports nothing of it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_OWNER = "AUTHSVC_METRICS_OWNER"


def share() -> None:
    """Make a folder for this run, unless the environment names one; it goes with the process."""
    process = str(os.getpid())
    # One that another process made (it replaced itself by us, on SIGUSR2) goes with that.
    if _FOLDER in os.environ and os.environ.get(_OWNER) in {None, process}:
        return
    os.environ[_FOLDER] = tempfile.mkdtemp(prefix="authsvc-metrics-")
    os.environ[_OWNER] = process
    atexit.register(_remove)


def _remove() -> None:
    if os.environ.get(_OWNER) == str(os.getpid()):  # and not in a worker, which was forked
        shutil.rmtree(os.environ[_FOLDER], ignore_errors=True)
