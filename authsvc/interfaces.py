"""The words this service is written in: who asks, for what, and what was decided.

The names are those of Kubernetes' own ``authenticator`` and ``authorizer``
packages (k8s.io/apiserver/pkg/authentication, pkg/authorization). Every
authenticator and authorizer, and every union of them, has the shape of one of
the protocols below, so a webhook sees one object whatever stands behind it.

Values only: no I/O here, and nothing but the standard library. The values are
named tuples because one of each is made per review: a frozen dataclass of the
same fields costs five times as much to make.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple, Protocol, runtime_checkable

_NO_EXTRA: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class UserInfo(NamedTuple):
    """A person or a program, as the API server knows it (authentication.k8s.io UserInfo).

    ``groups`` are sorted and unique where an authenticator made them; in a
    SubjectAccessReview they are in the request's order.
    """

    username: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = _NO_EXTRA


class Identity(NamedTuple):
    """A UserInfo, with what bounds it.

    ``audiences``: those of the asked audiences that the token is meant for;
    empty when none were asked for, which the API server reads as its own.
    ``expires_at``: seconds since the epoch after which the token is no longer
    good; None where the authenticator does not know. A cache never keeps an
    identity longer.
    """

    user: UserInfo
    audiences: tuple[str, ...] = ()
    expires_at: float | None = None


class Requirement(NamedTuple):
    """One condition of a field or label selector (KEP-4601).

    ``operator``: ``In``, ``NotIn``, ``Exists`` or ``DoesNotExist``.
    """

    key: str
    operator: str
    values: tuple[str, ...] = ()


class Attributes(NamedTuple):
    """What is asked of an authorizer (authorizer.Attributes in k8s.io/apiserver).

    Every string is literal: a ``*`` in a request is the name ``*``, never a
    wildcard. ``namespace`` is empty both for a cluster-scoped resource and for
    a request across all namespaces; ``name`` is empty for list and create.
    Either ``path`` is set (``resource_request`` False) or the resource's fields
    are.
    """

    user: UserInfo
    verb: str
    resource_request: bool = True
    namespace: str = ""
    api_group: str = ""
    api_version: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    path: str = ""
    field_selector: tuple[Requirement, ...] = ()
    label_selector: tuple[Requirement, ...] = ()


class Effect(Enum):
    """The three answers an authorizer has (authorizer.Decision).

    ``NO_OPINION`` lets the API server ask the next authorizer; ``DENY`` ends
    the matter.
    """

    ALLOW = "allow"
    DENY = "deny"
    NO_OPINION = "no opinion"

    # Enum's own is written in Python, and asked for each review; members are single objects.
    __hash__ = object.__hash__


class Decision(NamedTuple):
    """An answer and its ground.

    ``reason`` is one line below 1 KiB that a user may read (it is printed by
    kubectl and kept in the audit log); ``rules`` are the places of the policy
    rows that decided, as ``file:line``. ``shadowed`` is what a policy on trial
    would have answered instead; it is logged, and never told to the asker.
    """

    effect: Effect
    reason: str = ""
    rules: tuple[str, ...] = ()
    shadowed: Decision | None = None


NO_OPINION = Decision(Effect.NO_OPINION)


class TokenAuthenticator(Protocol):
    """Knows who a bearer token belongs to."""

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """Return whose token this is, or None when it is nobody's.

        ``audiences`` are the audiences asked for (empty: the API server's
        own). An identity's audiences are a subset of them; a token that is
        meant for none of them is nobody's.

        Raises:
            BackendError: the question could not be answered. Never raised for
                bad credentials.
        """
        ...


class PasswordAuthenticator(Protocol):
    """Knows who a user name and a password belong to."""

    def authenticate_password(self, username: str, password: str) -> UserInfo | None:
        """Return the user, or None when the credentials are not good.

        Raises:
            BackendError: the question could not be answered.
        """
        ...


class UserLookup(Protocol):
    """Knows a user without their credentials: what is true of them now."""

    def lookup(self, username: str) -> UserInfo | None:
        """Return the user with their present groups, or None when they are gone or disabled.

        Raises:
            BackendError: the question could not be answered.
        """
        ...


class Authorizer(Protocol):
    """Knows what may be done."""

    def authorize(self, attributes: Attributes) -> Decision:
        """Decide.

        Raises:
            NotReadyError: there is nothing to decide by yet.
        """
        ...


@runtime_checkable
class Lifecycle(Protocol):
    """A part that has something running: a pool, a watcher, a background refresh.

    A part is made before the server forks and must start nothing in its
    constructor; ``start`` is called once in each worker, ``close`` when it
    ends. Both may be called on a part that is already in that state.
    """

    def start(self) -> None:
        """Start threads, watchers and pools."""
        ...

    def close(self) -> None:
        """Stop them and give back what they hold."""
        ...
