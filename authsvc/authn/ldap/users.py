"""Finding a user's entry, and making a Kubernetes user of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from authsvc.authn.deadline import Deadline
from authsvc.authn.ldap import status
from authsvc.authn.ldap.connection import INVALID_DN_SYNTAX, NO_SUCH_OBJECT, Search
from authsvc.authn.ldap.directory import Directory
from authsvc.authn.ldap.entry import Entry
from authsvc.authn.ldap.errors import EntryError, Fault, RefusedError
from authsvc.authn.ldap.names import fill_dn, fill_filter, known_user_filter
from authsvc.authn.ldap.settings import (
    DN,
    GroupAttribute,
    GroupSearch,
    LDAPSettings,
    MemberOf,
    Scope,
    UserTemplate,
)
from authsvc.interfaces import UserInfo

_ANY = "(objectClass=*)"


class Users:
    """The users of a directory, each one entry."""

    def __init__(self, settings: LDAPSettings, directory: Directory) -> None:
        self._settings = settings
        self._directory = directory
        self._attributes = _attributes(settings)
        # No entry has this name: a bind to it takes as long as one that fails.
        self._nobody = f"cn={secrets.token_hex(16)}"

    def find(self, username: str, deadline: Deadline) -> Entry | None:
        """Return the entry of whom a person says to be.

        Raises:
            EntryError: there are several.
        """
        user = self._settings.user
        if isinstance(user, UserTemplate):
            return self.read(fill_dn(user.dn, username), deadline)
        return self._search(user.base, user.scope, fill_filter(user.filter, username), deadline)

    def find_known(self, username: str, deadline: Deadline) -> Entry | None:
        """Return the entry of a user by the name that `user_info` gave them."""
        if not username.startswith(self._settings.username_prefix):
            return None
        name = username.removeprefix(self._settings.username_prefix)
        user = self._settings.user
        attribute = self._settings.attributes.username
        if not name.strip():
            return None
        if isinstance(user, UserTemplate):
            entry = self.read(fill_dn(user.dn, name), deadline)
        elif attribute.lower() == DN:
            entry = self.read(name, deadline)
        else:
            known = known_user_filter(user.filter, attribute, name)
            entry = self._search(user.base, user.scope, known, deadline)
        # The directory compares names by rules of its own; the token names one.
        return entry if entry and entry.text(attribute) == name else None

    def read(self, dn: str, deadline: Deadline) -> Entry | None:
        """Return the entry of that name."""
        try:
            return self._search(dn, Scope.BASE, _ANY, deadline)
        except RefusedError as error:
            if error.code in {NO_SUCH_OBJECT, INVALID_DN_SYNTAX}:
                return None
            raise

    def nobody(self, username: str) -> str:
        """Return the DN to bind to where there is no entry, so that it takes as long."""
        user = self._settings.user
        if isinstance(user, UserTemplate):
            return fill_dn(user.dn, username)
        return f"{self._nobody},{user.base}"

    def user_info(self, entry: Entry, groups: Iterable[str]) -> UserInfo:
        """Return the user that an entry describes.

        Raises:
            EntryError: an attribute that is mapped is missing, empty or there more than once.
        """
        mapped = self._settings.attributes
        extra = {
            key: values for key, attribute in mapped.extra if (values := entry.texts(attribute))
        }
        return UserInfo(
            username=self._settings.username_prefix + entry.text(mapped.username),
            uid=entry.text(mapped.uid) if mapped.uid else "",
            groups=tuple(groups),
            extra=extra,
        )

    def _search(self, base: str, scope: Scope, filter_: str, deadline: Deadline) -> Entry | None:
        search = Search(base, scope, filter_, self._attributes, limit=2)
        entries = self._directory.search(search, deadline)
        if len(entries) > 1:
            names = " and ".join(repr(entry.dn) for entry in entries)
            raise EntryError(
                f"more than one entry matches a user name: {names}", Fault.SEVERAL_ENTRIES
            )
        return entries[0] if entries else None


def _attributes(settings: LDAPSettings) -> tuple[str, ...]:
    mapped = settings.attributes
    names = [mapped.username, mapped.uid, *(attribute for _, attribute in mapped.extra)]
    for source in settings.groups.sources:
        match source:
            case GroupSearch(member_value=attribute):
                names.append(attribute)
            case MemberOf(attribute=attribute) | GroupAttribute(attribute=attribute):
                names.append(attribute)
    names.extend(status.attributes(settings.account_status))
    return tuple(dict.fromkeys(name for name in names if name and name.lower() != DN))
