"""A service that several of these tests share, since they change nothing about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.reviews import ENDPOINTS, POLICY, TOKENS, is_granted, review
from tests.parts.authsvc_server import AuthsvcServer, running


@pytest.fixture(scope="session")
def granting_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthsvcServer]:
    """Run a service that grants what `tests.integration.reviews` asks for.

    After all the tests' rudeness the one worker it began with must still answer.
    """
    with running(tmp_path_factory.mktemp("granting"), tokens=TOKENS, policy=POLICY) as server:
        yield server
        assert server.log.count("Booting worker") == 1, server.log
        for path in ENDPOINTS:
            assert is_granted(server.post(path, review(path)))
