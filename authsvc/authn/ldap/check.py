"""The steps of an authentication one at a time, each with what came back and what to do about it.

For an administrator who sets up a directory (``authsvc ldap check``). A password
goes to the directory and nowhere else.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from authsvc.authn.deadline import Deadline
from authsvc.authn.ldap import status
from authsvc.authn.ldap.advice import advice_for
from authsvc.authn.ldap.connection import SUCCESS, Connection, Search
from authsvc.authn.ldap.dial import Dialler, Trust
from authsvc.authn.ldap.directory import Directory
from authsvc.authn.ldap.entry import Entry
from authsvc.authn.ldap.errors import DirectoryError, Fault, RefusedError
from authsvc.authn.ldap.groups import GroupFinder
from authsvc.authn.ldap.server import ServiceIdentity
from authsvc.authn.ldap.settings import (
    DN,
    SRV,
    ExternalBind,
    GroupSearch,
    LDAPSettings,
    Security,
    Server,
    SimpleBind,
    UserSearch,
)
from authsvc.authn.ldap.srv import ServiceRecords
from authsvc.authn.ldap.users import Users
from authsvc.errors import BackendError


class Step(NamedTuple):
    """One step: whether it worked, what came back, and what to change where it did not."""

    name: str
    worked: bool
    said: str
    advice: str = ""


class Walk:
    """A walk through one directory's settings, server by server."""

    def __init__(self, settings: LDAPSettings, username: str = "", password: str = "") -> None:
        self._settings = settings
        self._username = username
        self._password = password
        # One for all servers: a refused bind is not repeated until the account is locked.
        self._identity = ServiceIdentity(settings.bind)

    def servers(self) -> tuple[Server, ...]:
        """Return the servers to walk.

        Raises:
            BackendError: DNS names none.
        """
        servers = self._settings.servers
        if isinstance(servers, SRV):
            return ServiceRecords(servers).servers(self._deadline())
        return servers

    def steps(self, server: Server) -> Iterator[Step]:
        """Walk one server; ends with the first step that nothing can come after."""
        settings = dataclasses.replace(self._settings, servers=(server,))
        dialler = Dialler(server, Trust(settings.tls))
        connection: Connection | None = None
        step = "resolve"
        try:
            addresses = dialler.resolve(self._deadline())
            yield Step(step, True, ", ".join(addresses))
            step = "connect"
            connection = dialler.connect(addresses, self._deadline())
            yield Step(step, True, f"port {server.port}")
            step = "TLS"
            dialler.secure(connection, self._deadline())
            protected = server.security is not Security.PLAINTEXT
            advice = "" if protected else "use ldaps://, or ldap:// without insecure (StartTLS)"
            yield Step(step, protected, connection.protection, advice)
            step = "bind"
            self._identity.bind(connection, self._deadline())
            yield Step(step, True, _who(settings))
        except (BackendError, TimeoutError) as error:
            yield _failed(step, error)
            return
        finally:
            if connection is not None:
                connection.close()
        directory = Directory(settings)
        try:
            yield from self._questions(settings, directory)
        finally:
            directory.close()

    def _questions(self, settings: LDAPSettings, directory: Directory) -> Iterator[Step]:
        if isinstance(settings.user, UserSearch):
            yield self._try("search", lambda: self._any_user(settings, directory))
        for source in settings.groups.sources:
            if isinstance(source, GroupSearch):
                yield self._try("groups", partial(self._all_groups, source, directory))
        if not self._username:
            return
        users = Users(settings, directory)
        found: list[Entry] = []
        yield self._try("user", lambda: self._find(users, found))
        if not found:
            return
        if self._password:
            yield self._try("password", lambda: self._bind(directory, found[0]))
            self._password = ""  # once is enough, and the account is not locked by a wrong one
        yield self._try("status", lambda: self._status(settings, found[0]))
        finder = GroupFinder(settings.groups, settings.groups_prefix, directory)
        yield self._try("member of", lambda: self._groups(finder, found[0]))
        yield self._try("answer", lambda: _described(users, found[0]))

    def _any_user(self, settings: LDAPSettings, directory: Directory) -> str:
        assert isinstance(settings.user, UserSearch)  # noqa: S101  asked by the caller
        anybody = settings.user.filter.replace("{username}", "*")
        base, scope = settings.user.base, settings.user.scope
        found = directory.search(Search(base, scope, anybody, (), limit=1), self._deadline())
        if not found:
            raise DirectoryError(f"no entry below {base!r} matches {anybody}", Fault.NOTHING_BELOW)
        return f"entries below {base!r} match {anybody}"

    def _all_groups(self, source: GroupSearch, directory: Directory) -> str:
        attributes = () if source.name == DN else (source.name,)
        search = Search(source.base, source.scope, source.filter, attributes)
        groups = directory.search(search, self._deadline())
        if not groups:
            raise DirectoryError(
                f"no entry below {source.base!r} matches {source.filter}", Fault.NOTHING_BELOW
            )
        nameless = [group.dn for group in groups if not group.texts(source.name)]
        if nameless:
            raise DirectoryError(
                f"{nameless[0]!r} has no {source.name}: its members cannot log in", Fault.VALUE
            )
        names = Counter(group.texts(source.name)[0] for group in groups)
        twice = [name for name, number in names.items() if number > 1]
        if twice:
            raise DirectoryError(
                f"{len(twice)} of {len(names)} names are of more than one group, such as"
                f" {twice[0]!r}: who is in both cannot log in",
                Fault.SAME_NAME,
            )
        return f"{len(groups)} groups, named by {source.name}"

    def _find(self, users: Users, found: list[Entry]) -> str:
        entry = users.find(self._username, self._deadline())
        if entry is None:
            raise DirectoryError("no entry matches this user name", Fault.NO_USER)
        found.append(entry)
        return entry.dn

    def _bind(self, directory: Directory, entry: Entry) -> str:
        result = directory.bind(entry.dn, self._password, self._deadline())
        if result.code != SUCCESS:
            raise RefusedError(result.code, result.diagnostic)
        return "right"

    def _status(self, settings: LDAPSettings, entry: Entry) -> str:
        families = settings.account_status
        problem = status.problem(entry, families, datetime.now(UTC))
        if problem is not None:
            raise DirectoryError(f"closed: {problem.reason}")
        looked_at = ", ".join(sorted(family.value for family in families)) or "not looked at"
        return f"open ({looked_at})"

    def _groups(self, finder: GroupFinder, entry: Entry) -> str:
        return ", ".join(repr(name) for name in finder.names(entry, self._deadline())) or "no group"

    def _deadline(self) -> Deadline:
        return Deadline(self._settings.deadline)

    def _try(self, name: str, question: Callable[[], str]) -> Step:
        try:
            return Step(name, True, question())
        except (BackendError, TimeoutError) as error:
            return _failed(name, error)


def _who(settings: LDAPSettings) -> str:
    match settings.bind:
        case SimpleBind(dn=dn):
            return dn
        case ExternalBind():
            return "by the client certificate"
        case _:
            return "none: searches are anonymous"


def _described(users: Users, entry: Entry) -> str:
    user = users.user_info(entry, ())
    extra = {key: list(values) for key, values in user.extra.items()}
    return f"username {user.username!r}, uid {user.uid!r}, extra {extra}"


def _failed(name: str, error: BackendError | TimeoutError) -> Step:
    return Step(name, False, str(error), advice_for(error))
