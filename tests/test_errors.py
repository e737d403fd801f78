"""Errors say where, and all of them at once."""

from __future__ import annotations

import inspect

import pytest

from authsvc import errors
from authsvc.errors import (
    AuthsvcError,
    ConfigError,
    InvalidConfigurationError,
    InvalidPolicyError,
    InvalidReviewError,
    PolicyError,
)

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_one_of_ours_and_drawn_in_the_tree(kind: type[Exception]) -> None:
    assert issubclass(kind, AuthsvcError)
    assert kind.__name__ in (errors.__doc__ or "")


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
