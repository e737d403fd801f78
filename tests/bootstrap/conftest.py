"""What the tests of this folder start from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from authsvc.bootstrap import initialise

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder that was filled at NOW, for loopback."""
    folder = tmp_path / "authsvc"
    initialise(folder, now=NOW)
    return folder
