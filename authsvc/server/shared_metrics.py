"""Metrics that all workers count together.

prometheus-client keeps them in a file per worker, in a folder that must be known
before it is first imported; so this module imports nothing of it.
"""

from __future__ import annotations

import os
import shutil
import tempfile

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_OWNER = "AUTHSVC_METRICS_OWNER"


def share() -> None:
    """Make a folder for this run, unless the environment names one."""
    if _FOLDER not in os.environ:
        os.environ[_FOLDER] = tempfile.mkdtemp(prefix="authsvc-metrics-")
        os.environ[_OWNER] = str(os.getpid())


def remove() -> None:
    """Remove the folder, in the process that made it."""
    if os.environ.get(_OWNER) == str(os.getpid()):
        shutil.rmtree(os.environ[_FOLDER], ignore_errors=True)
