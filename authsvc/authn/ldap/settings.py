"""What an LDAP authenticator is told: plain values, already checked, defaults as in the file.

No YAML here and no I/O: the wire form is ``authsvc.config.v1alpha1.ldap``, and
what the presets set is ``presets``. Times are seconds.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

DN = "dn"
"""Stands for an entry's own distinguished name wherever an attribute is named."""


class Security(Enum):
    """How a connection is protected."""

    LDAPS = "ldaps"
    """TLS from the first byte (port 636)."""
    START_TLS = "StartTLS"
    """TLS before anything but the request for it (RFC 4511, section 4.14)."""
    PLAINTEXT = "plaintext"
    """None at all: passwords can be read on the wire."""


class Scope(Enum):
    """How far below its base a search looks (RFC 4511, section 4.5.1.2)."""

    BASE = "BASE"
    ONE = "LEVEL"
    SUBTREE = "SUBTREE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """One directory server."""

    host: str
    port: int
    security: Security = Security.LDAPS

    def __str__(self) -> str:
        scheme = "ldaps" if self.security is Security.LDAPS else "ldap"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SRV:
    """Servers that DNS names (RFC 2782), such as ``_ldap._tcp.example.com``.

    A target outside of ``domain`` is refused: otherwise whoever can forge a DNS
    answer could send us to a host of their own, whose certificate is good for
    its own name. ``port`` replaces the record's (Active Directory
    publishes 389 alone).
    """

    name: str
    security: Security = Security.START_TLS
    port: int | None = None
    nameservers: tuple[str, ...] = ()
    """``address`` or ``address:port``; the system's own where empty."""

    @property
    def domain(self) -> str:
        """The labels of the name after the last one that starts with an underscore."""
        labels = self.name.rstrip(".").split(".")
        while any(label.startswith("_") for label in labels):
            labels.pop(0)
        return ".".join(labels)


def parse_nameserver(text: str) -> tuple[str, int]:
    """Return address and port of ``192.0.2.1``, ``192.0.2.1:5353`` or ``[2001:db8::1]:5353``.

    Raises:
        ValueError: it is none of these.
    """
    try:
        return str(ipaddress.ip_address(text)), 53
    except ValueError:
        address, _, port = text.rpartition(":")
        return str(ipaddress.ip_address(address.strip("[]"))), int(port)


@dataclass(frozen=True, kw_only=True, slots=True)
class TLS:
    """Trust in the servers, and our own certificate. Files are read again when they change."""

    ca_file: Path | None = None
    """PEM; the system's own authorities where None."""
    certificate_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SimpleBind:
    """The service binds with a name and the password that is the content of a file.

    One line end at the end of the file is not part of the password. The file
    is read at each bind: a changed password needs no restart.
    """

    dn: str
    password_file: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalBind:
    """The service is who its client certificate says (SASL EXTERNAL, RFC 4422 appendix A)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoBind:
    """The service searches without having bound."""


Bind = SimpleBind | ExternalBind | NoBind


@dataclass(frozen=True, kw_only=True, slots=True)
class UserSearch:
    """A user's entry is found by a search.

    ``filter`` holds ``{username}``, which is replaced by the escaped name.
    """

    base: str
    filter: str
    scope: Scope = Scope.SUBTREE


@dataclass(frozen=True, kw_only=True, slots=True)
class UserTemplate:
    """A user's DN is made of the user name: ``uid={username},ou=people,dc=example,dc=org``."""

    dn: str


User = UserSearch | UserTemplate


@dataclass(frozen=True, kw_only=True, slots=True)
class Attributes:
    """Which attributes of a user's entry become what. ``dn`` is the entry's name.

    ``uid`` may be None: then no uid is answered. ``extra`` are pairs of a key
    and the attribute that its values come from.
    """

    username: str = "uid"
    uid: str | None = None
    extra: tuple[tuple[str, str], ...] = ()


class Nested(Enum):
    """How groups of groups are found."""

    NONE = "None"
    """Direct ones alone, or the server answers with the nested ones by itself."""
    RECURSIVE = "Recursive"
    """One more search per level, until a level brings nothing new."""
    MATCHING_RULE_IN_CHAIN = "MatchingRuleInChain"
    """Active Directory's LDAP_MATCHING_RULE_IN_CHAIN: the server walks them in one search."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupSearch:
    """Groups are entries that list their members.

    ``member_attributes`` are compared with the user's ``member_value``: an
    attribute of the user's entry (``uid`` for ``memberUid``) or ``dn``. A
    group is named by its attribute ``name``, or ``dn``.
    """

    base: str
    filter: str = "(objectClass=groupOfNames)"
    scope: Scope = Scope.SUBTREE
    member_attributes: tuple[str, ...] = ("member",)
    member_value: str = DN
    name: str = "cn"
    nested: Nested = Nested.NONE


@dataclass(frozen=True, kw_only=True, slots=True)
class MemberOf:
    """A user's entry lists the DNs of their groups.

    Only groups at or below ``base`` count, where it is set. No further query
    is made where ``name`` is ``dn`` or the attribute that the DN starts with.
    """

    attribute: str = "memberOf"
    base: str | None = None
    name: str = "cn"
    nested: Nested = Nested.NONE


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupAttribute:
    """A user's entry lists the names of their groups, as they are."""

    attribute: str


GroupSource = GroupSearch | MemberOf | GroupAttribute


@dataclass(frozen=True, kw_only=True, slots=True)
class Groups:
    """Where groups come from, and which are kept.

    ``include`` and ``exclude`` are globs over the names before the prefix,
    whatever the case, for a directory compares names so; an empty ``include``
    keeps all. More than ``max_groups`` groups, or more than ``max_depth``
    levels, is a failure and never a shorter list: a policy may deny by group.
    """

    sources: tuple[GroupSource, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_groups: int = 10_000
    max_depth: int = 16


class AccountStatus(Enum):
    """A family of attributes by which a directory says that an account is not to be used."""

    ACTIVE_DIRECTORY = "ActiveDirectory"
    """userAccountControl, accountExpires, lockoutTime, pwdLastSet."""
    PPOLICY = "PasswordPolicy"
    """pwdAccountLockedTime, pwdReset (draft-behera-ldap-password-policy)."""
    NS_ACCOUNT_LOCK = "NsAccountLock"
    """nsAccountLock of 389 Directory Server and FreeIPA."""
    KERBEROS = "Kerberos"
    """krbPrincipalExpiration of FreeIPA."""
    SHADOW = "Shadow"
    """shadowExpire (RFC 2307)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LDAPSettings:
    """One directory.

    ``deadline``: the longest that one authentication or look-up takes, over
    all servers and steps. ``pool_size``: connections per server of each kind
    (searches, users' binds). ``pool_idle``: an unused connection older than
    this is not used again (firewalls forget connections without a word).
    ``password_tokens``: take bearer tokens that are base64(user:password),
    in TokenReviews.
    """

    servers: tuple[Server, ...] | SRV
    bind: Bind
    user: User
    tls: TLS = field(default_factory=TLS)
    attributes: Attributes = field(default_factory=Attributes)
    groups: Groups = field(default_factory=Groups)
    account_status: frozenset[AccountStatus] = frozenset()
    username_prefix: str = ""
    groups_prefix: str = ""
    deadline: float = 5.0
    pool_size: int = 8
    pool_idle: float = 60.0
    page_size: int = 500
    password_tokens: bool = False
