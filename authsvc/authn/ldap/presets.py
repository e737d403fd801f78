"""What the usual directories look like: where users and groups are, and how they are described.

A preset sets every part of the settings that depends on the kind of directory.
It is data: each value can be overridden in the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass

from authsvc.authn.ldap.settings import (
    AccountStatus,
    Attributes,
    GroupSearch,
    GroupSource,
    MemberOf,
    Nested,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """One kind of directory. ``users`` and ``groups_base`` are put before the directory's base."""

    users: str = ""
    user_filter: str
    attributes: Attributes
    groups: GroupSource
    groups_base: str = ""
    account_status: frozenset[AccountStatus]


PRESETS: dict[str, Preset] = {
    "ActiveDirectory": Preset(
        user_filter=(
            "(&(objectCategory=person)(objectClass=user)"
            "(|(sAMAccountName={username})(userPrincipalName={username})))"
        ),
        attributes=Attributes(username="sAMAccountName", uid="objectGUID"),
        groups=GroupSearch(
            base="",
            filter="(objectClass=group)",
            name="sAMAccountName",
            nested=Nested.MATCHING_RULE_IN_CHAIN,
        ),
        account_status=frozenset({AccountStatus.ACTIVE_DIRECTORY}),
    ),
    "OpenLDAP": Preset(
        user_filter="(&(objectClass=inetOrgPerson)(uid={username}))",
        attributes=Attributes(username="uid", uid="entryUUID"),
        groups=GroupSearch(base="", filter="(objectClass=groupOfNames)", nested=Nested.RECURSIVE),
        account_status=frozenset({AccountStatus.PPOLICY, AccountStatus.SHADOW}),
    ),
    "FreeIPA": Preset(
        users="cn=users,cn=accounts",
        user_filter="(&(objectClass=posixAccount)(uid={username}))",
        attributes=Attributes(username="uid", uid="ipaUniqueID"),
        # Its memberOf holds the groups of groups as well, and rules and roles
        # that are no groups, in other places.
        groups=MemberOf(base=""),
        groups_base="cn=groups,cn=accounts",
        account_status=frozenset({AccountStatus.NS_ACCOUNT_LOCK, AccountStatus.KERBEROS}),
    ),
    "389DS": Preset(
        user_filter="(&(objectClass=inetOrgPerson)(uid={username}))",
        attributes=Attributes(username="uid", uid="nsUniqueId"),
        groups=GroupSearch(
            base="",
            filter="(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))",
            member_attributes=("member", "uniqueMember"),
            nested=Nested.RECURSIVE,
        ),
        account_status=frozenset({AccountStatus.NS_ACCOUNT_LOCK}),
    ),
}
