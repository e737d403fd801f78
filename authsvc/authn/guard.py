"""What no provider may say, and the form that every answer has.

A directory or an identity provider may name people; it can never name the
control plane. Names in ``system:`` belong to the API server (they are granted
rights by RBAC's bootstrap policy, and system:masters bypasses all
authorization), and those in ``kubeadm:`` to the administrators whom kubeadm's
own bindings make omnipotent; so a user of such a name is refused and a group is
dropped.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import structlog

from authsvc.authn.checks import Check, Explanation, explain
from authsvc.interfaces import Identity, TokenAuthenticator, UserInfo

MAX_TOKEN_BYTES = 16 * 1024

_RESERVED = ("system:", "kubeadm:")
_DOMAINS = ("k8s.io", "kubernetes.io")
_NAMES = "system: names"  # the check, as an explanation calls it

_log = structlog.get_logger()


# Letters and a symbol without ink; what else has none is a mark, a space or a control.
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def is_reserved(name: str) -> bool:
    """Whether a name is the control plane's, in whatever case, spacing, accents or width."""
    # Only the exact bytes mean anything to the API server. The rest is for the
    # readers of an audit log, who could not tell such a name from the real one.
    letters = "".join(
        character
        for character in unicodedata.normalize("NFKD", name)
        if unicodedata.category(character)[0] not in "CMZ" and character not in _BLANK_LETTERS
    )
    return letters.casefold().startswith(_RESERVED)


def is_reserved_key(key: str) -> bool:
    """Whether a key of ``extra`` is in a domain of Kubernetes itself, in whatever case.

    The API server reads a pod's and a node's name from there.
    """
    domain = key.lower().partition("/")[0]
    return domain in _DOMAINS or domain.endswith(tuple(f".{name}" for name in _DOMAINS))


def guard_user(user: UserInfo, authenticator: str = "") -> UserInfo | None:
    """Return the user with groups sorted, unique and free of reserved ones; None where refused.

    A user whose names contain lone surrogates is refused: JSON can escape them
    (RFC 8259 8.2), UTF-8 cannot encode them. Reserved keys of ``extra`` are
    dropped as reserved groups are.
    """
    if not _is_text(user):
        _log.warning("user_of_no_text_refused", authenticator=authenticator, user=repr(user))
        return None
    if not user.username or is_reserved(user.username):
        _log.warning("reserved_user_refused", authenticator=authenticator, user=user.username)
        return None
    groups = set(user.groups) - {""}
    reserved = {group for group in groups if is_reserved(group)}
    if reserved:
        _log.warning(
            "reserved_groups_dropped",
            authenticator=authenticator,
            user=user.username,
            groups=sorted(reserved),
        )
    extra = {key: values for key, values in user.extra.items() if not is_reserved_key(key)}
    if len(extra) < len(user.extra):
        _log.warning(
            "reserved_extra_dropped",
            authenticator=authenticator,
            user=user.username,
            keys=sorted(user.extra.keys() - extra.keys()),
        )
    return user._replace(groups=tuple(sorted(groups - reserved)), extra=extra)


def _is_text(user: UserInfo) -> bool:
    extra = (value for values in user.extra.values() for value in values)
    try:
        "".join((user.username, user.uid, *user.groups, *user.extra, *extra)).encode()
    except UnicodeEncodeError:
        return False
    return True


class GuardedTokenAuthenticator:
    """Keeps an authenticator to what it may say, and from what cannot be a token."""

    def __init__(self, authenticator: TokenAuthenticator, name: str = "") -> None:
        self._authenticator = authenticator
        self._name = name

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """Return whose token this is, unless that may not be said."""
        if _token_fault(token):
            return None
        identity = self._authenticator.authenticate_token(token, audiences)
        if identity is None:
            return None
        user = guard_user(identity.user, self._name)
        return None if user is None else identity._replace(user=user)

    def explain(self, token: str, audiences: Sequence[str]) -> Explanation:
        """Authenticate the token and tell each step, and what of the user remains."""
        if fault := _token_fault(token):
            return Explanation((Check("token", False, fault),), None)
        told = explain(self._authenticator, token, audiences)
        if told.identity is None:
            return told
        before = told.identity.user
        after = guard_user(before, self._name)
        if after is None:
            why = f"{before.username!r} is empty, the control plane's or no text"
            return told._replace(checks=(*told.checks, Check(_NAMES, False, why)), identity=None)
        checks = tuple(
            Check(_NAMES, True, f"dropped {what} {', '.join(sorted(dropped))}")
            for what, dropped in (
                ("the groups", {group for group in before.groups if is_reserved(group)}),
                ("the extra keys", before.extra.keys() - after.extra.keys()),
            )
            if dropped
        )
        return told._replace(
            checks=told.checks + checks, identity=told.identity._replace(user=after)
        )


def _token_fault(token: str) -> str | None:
    """Say why a token can be nobody's, None where it may be somebody's."""
    if not token:
        return "it is empty"
    if len(token.encode("utf-8", "surrogatepass")) > MAX_TOKEN_BYTES:
        return f"it is longer than {MAX_TOKEN_BYTES} bytes"
    return None
