"""The values everything is said in: what they hold by default, and that they stay as they are."""

from __future__ import annotations

import subprocess
import sys

import pytest

from authsvc.interfaces import (
    NO_OPINION,
    Attributes,
    Decision,
    Effect,
    Identity,
    Lifecycle,
    UserInfo,
)
from authsvc.reloading import Reloading


def test_a_user_has_nothing_that_was_not_given() -> None:
    user = UserInfo("alice")
    assert (user.uid, user.groups, dict(user.extra)) == ("", (), {})


def test_the_extra_of_users_without_one_can_not_be_written_to() -> None:
    with pytest.raises(TypeError):
        UserInfo("alice").extra["key"] = ("value",)  # type: ignore[index]  # that is the point


def test_values_can_not_be_changed() -> None:
    with pytest.raises(AttributeError):
        Identity(UserInfo("alice")).user = UserInfo("mallory")  # type: ignore[misc]  # that is the point


def test_no_opinion_is_neither_allowed_nor_denied_and_gives_no_reason() -> None:
    assert Decision(Effect.NO_OPINION) == NO_OPINION
    assert NO_OPINION.reason == ""


def test_attributes_are_of_a_resource_unless_said_otherwise() -> None:
    assert Attributes(UserInfo("alice"), "get").resource_request


def test_what_starts_and_closes_is_recognised_by_its_shape() -> None:
    assert isinstance(Reloading("part", lambda: 1, []), Lifecycle)
    assert not isinstance(UserInfo("alice"), Lifecycle)


@pytest.mark.parametrize("module", ["authsvc.interfaces", "authsvc.errors"])
def test_the_words_need_nothing_but_the_standard_library(module: str) -> None:
    code = (
        f"import sys; before = set(sys.modules); import {module}; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['authsvc']"
