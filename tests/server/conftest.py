"""Fixtures of the engines' tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.served import ENGINES, Served


@pytest.fixture(params=ENGINES)
def stopped_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    """Return a service of each engine that is not started yet."""
    served = Served(tmp_path, request.param)
    try:
        yield served
    finally:
        served.stop()


@pytest.fixture
def server(stopped_server: Served) -> Served:
    """Return a service of each engine that runs."""
    stopped_server.start()
    return stopped_server
