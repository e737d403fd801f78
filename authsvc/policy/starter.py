"""The policy to begin with, as it comes with authsvc: for ``authsvc init`` and for tests."""

from __future__ import annotations

from importlib import resources
from typing import Final

FILES: Final = ("roles.csv", "bindings.csv")


def starter_policy() -> dict[str, str]:
    """Return the files of a new policy folder, by name.

    The roles are those that Kubernetes ships for people; no one has any yet.
    """
    folder = resources.files("authsvc.policy") / "shipped"
    return {name: (folder / name).read_text(encoding="utf-8") for name in FILES}
