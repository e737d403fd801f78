"""Fixtures that every test may use: the real programs of tests/parts."""

from __future__ import annotations

pytest_plugins = [
    "tests.parts.kubectl",
    "tests.parts.openid_provider",
    "tests.parts.redis",
    "tests.parts.web_server",
]
