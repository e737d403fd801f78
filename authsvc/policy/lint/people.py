"""Which subjects one person may be at once."""

from __future__ import annotations

from typing import Final

from authsvc.policy.cells import EVERY_USER, SERVICE_ACCOUNT_USER

EVERYBODY: Final = (EVERY_USER, "group:system:authenticated")
"""What all are; the API server has a group of its own for strangers."""

_STRANGERS: Final = frozenset({"user:system:anonymous", "group:system:unauthenticated"})
_ACCOUNTS: Final = "group:system:serviceaccounts"


def may_be(one: str, other: str) -> bool:
    """Whether somebody may be both of two subjects, as far as a policy tells.

    It does not tell who is in a group, so a person may be in any; but not that a
    certain user is, where the question is about a group: else every row for a
    user would be about everybody.
    """
    if one == other or one in EVERYBODY or other in EVERYBODY:
        return True
    if one in _STRANGERS or other in _STRANGERS:
        return one in _STRANGERS and other in _STRANGERS
    account, another = _account(one), _account(other)
    if account is not None and another is not None:
        return all(a == b or not a or not b for a, b in zip(account, another, strict=True))
    return account is another and other.startswith("group:")


def _account(subject: str) -> tuple[str, str] | None:
    """Return the namespace and name of service accounts, "" for any; None for people."""
    if subject == _ACCOUNTS:
        return "", ""
    if subject.startswith(f"{_ACCOUNTS}:"):
        return subject.removeprefix(f"{_ACCOUNTS}:"), ""
    if subject.startswith(SERVICE_ACCOUNT_USER):
        namespace, _, name = subject.removeprefix(SERVICE_ACCOUNT_USER).partition(":")
        return namespace, name
    return None


def pool_of(subject: str) -> str:
    """Return one subject for all that may be the same others as this one, besides itself."""
    if _account(subject) is None and subject not in {*EVERYBODY, *_STRANGERS}:
        return "group:"
    return subject
