"""Tables of people in files: what a row says that will not be believed.

Such a row is no error: one would hold up the rest of its file, a token that was
taken out of it for one. It is what an administrator ought to hear of before the
first who is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from authsvc.authn.guard import is_reserved
from authsvc.errors import PolicyError
from authsvc.interfaces import UserInfo

K = TypeVar("K")
V = TypeVar("V")


class Table(dict[K, V]):
    """People by what they are found by; ``doubts`` are the places that will not be believed."""

    def __init__(self) -> None:
        super().__init__()
        self.doubts: list[PolicyError] = []


def doubts(file: str, line: int, user: UserInfo) -> Sequence[PolicyError]:
    """Return what the guard (`guard_user`) will refuse of a row."""
    found = [
        f"group {group!r} is the control plane's: it is left out"
        for group in user.groups
        if is_reserved(group)
    ]
    if is_reserved(user.username):
        found = [f"user {user.username!r} is the control plane's: it is refused"]
    return [PolicyError(file, line, message) for message in found]
