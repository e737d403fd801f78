"""Which policy a command is about: what all of them have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.policy.conftest import Authsvc

WHOLE = [["check"], ["format", "--check"], ["export-rbac", "--force"]]
"""Commands that are about a policy and no more."""


@pytest.mark.parametrize("command", WHOLE, ids=" ".join)
def test_a_folder_is_taken_as_an_argument_or_as_an_option(
    authsvc: Authsvc, policy: Path, command: list[str]
) -> None:
    by_option = authsvc(*command, "--policy", policy)

    assert by_option.out
    assert authsvc(*command, policy) == by_option


@pytest.mark.parametrize("command", WHOLE, ids=" ".join)
def test_without_either_it_is_the_folder_policy_here(
    authsvc: Authsvc, policy: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(policy.parent)

    assert authsvc(*command) == authsvc(*command, "policy")


@pytest.mark.parametrize("command", WHOLE, ids=" ".join)
def test_two_policies_at_once_are_wrong_usage(
    authsvc: Authsvc, policy: Path, command: list[str]
) -> None:
    twice = authsvc(*command, policy, "--policy", policy)
    configured = authsvc(*command, policy, "--config", policy / "authsvc.yaml")

    assert (twice.code, configured.code) == (2, 2)
    assert "FOLDER and --policy are two answers to one question" in twice.err
    assert "--config says which policy and model; name no others" in configured.err
