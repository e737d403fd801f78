"""Errors say where, and all of them at once."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import authsvc
from authsvc import errors
from authsvc.errors import (
    AuthsvcError,
    BackendError,
    ConfigError,
    InvalidConfigurationError,
    InvalidPolicyError,
    InvalidReviewError,
    PolicyError,
)


def _kinds(kind: type[Exception]) -> Iterator[type[Exception]]:
    """Yield a class of the service's own and those below it, wherever they are."""
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


@pytest.fixture(scope="module")
def ours() -> list[type[Exception]]:
    """Import all of the service, and return its errors."""
    for module in pkgutil.walk_packages(authsvc.__path__, "authsvc."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return [kind for kind in _kinds(AuthsvcError) if kind.__module__.startswith("authsvc.")]


def test_every_root_is_drawn_and_nothing_else(ours: list[type[Exception]]) -> None:
    tree = (errors.__doc__ or "").split("::")[1].split("The last two")[0]

    drawn = set(re.findall(r"\w+Error\b", tree))

    roots = {kind.__name__ for kind in ours if kind.__bases__ == (AuthsvcError,)}
    assert drawn == {"AuthsvcError"} | roots


def test_what_is_no_root_is_a_failure_of_a_back_end(ours: list[type[Exception]]) -> None:
    kinds = [kind for kind in ours if AuthsvcError not in (kind, *kind.__bases__)]

    assert kinds
    assert all(issubclass(kind, BackendError) for kind in kinds)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InvalidReviewError("spec.token", "expected a string"), "spec.token: expected a string"),
        (InvalidReviewError("", "not JSON"), "not JSON"),
        (ConfigError("server.bind", "wrong"), "server.bind: wrong"),
        (ConfigError("", "wrong"), "wrong"),
        (PolicyError("team.csv", 12, "wrong"), "team.csv:12: wrong"),
        (PolicyError("team.csv", 0, "unreadable"), "team.csv: unreadable"),
    ],
)
def test_an_error_starts_with_its_place(error: AuthsvcError, text: str) -> None:
    assert str(error) == text


def test_all_faults_of_a_file_are_in_one_error_a_line_each() -> None:
    config = InvalidConfigurationError([ConfigError("a", "1"), ConfigError("b", "2")])
    policy = InvalidPolicyError(PolicyError("f", line, "x") for line in (1, 2))
    assert str(config).splitlines() == ["a: 1", "b: 2"]
    assert [error.line for error in policy.errors] == [1, 2]
    assert str(policy).splitlines() == ["f:1: x", "f:2: x"]
