"""What is shipped is what its own tools ask of a policy: nobody begins with warnings."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from authsvc.policy.starter import FILES, starter_policy
from tests.cli.policy.conftest import Authsvc

FOLDER = Path(__file__).parents[3] / "policy"
EXAMPLES = sorted(file.name for file in (FOLDER / "examples").glob("*.csv"))
AS_IN_CI = ("check", "--strict", "--ignore", "escalation", "--ignore", "unbound-role")
WELL = (0, "nothing to report\n", "")


def test_the_examples_are_one_policy_that_is_well(authsvc: Authsvc) -> None:
    assert authsvc(*AS_IN_CI, FOLDER / "examples") == WELL


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_well_with_the_roles_alone(
    authsvc: Authsvc, tmp_path: Path, name: str
) -> None:
    for file in {name, "roles.csv"}:
        shutil.copy(FOLDER / "examples" / file, tmp_path)

    assert authsvc(*AS_IN_CI, tmp_path) == WELL


def test_the_starter_policy_is_well(authsvc: Authsvc, tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_text(starter_policy()[name])

    assert authsvc(*AS_IN_CI, tmp_path) == WELL


@pytest.mark.parametrize("folder", ["examples", "."])
def test_what_is_shipped_is_in_columns(authsvc: Authsvc, folder: str) -> None:
    answer = authsvc("format", "--check", FOLDER / folder)

    assert answer == (0, "all files are in columns\n", "")
