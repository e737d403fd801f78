"""``type: LDAP``: a directory. A preset sets what depends on its kind; each field overrides it."""

from __future__ import annotations

import dataclasses
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from authsvc.authn.ldap import settings as internal
from authsvc.authn.ldap.presets import PRESETS, Preset
from authsvc.authn.ldap.settings import LDAPSettings, Security, parse_nameserver
from authsvc.config.v1alpha1.claims import check_extra_key, check_prefix
from authsvc.config.v1alpha1.secrets import secret_file
from authsvc.decoding.structs import Duration, Place, Wire, readable, seconds

# Put into filters as it stands, so nothing but a name (RFC 4512, section 2.5).
Attribute = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.;-]*$")]
Count = Annotated[int, msgspec.Meta(ge=1)]
ScopeName = Literal["Base", "OneLevel", "Subtree"]

_SCOPES = {
    "Base": internal.Scope.BASE,
    "OneLevel": internal.Scope.ONE,
    "Subtree": internal.Scope.SUBTREE,
}
_EXTRA_KEY = re.compile(r"[a-z0-9]([-a-z0-9._/]*[a-z0-9])?")
_USERNAME = "{username}"


class SRV(Wire, frozen=True):
    """Servers from DNS, such as ``_ldap._tcp.example.com``; ``port`` replaces the record's."""

    name: Annotated[str, msgspec.Meta(pattern=r"^_[^.]+\._[^.]+\.[^.]+(\.[^.]+)*\.?$")]
    security: Literal["LDAPS", "StartTLS"] = "StartTLS"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None
    nameservers: tuple[str, ...] = ()

    def to_settings(self, insecure: bool, at: Place) -> internal.SRV:
        """Convert to the internal model."""
        for index, nameserver in enumerate(self.nameservers):
            try:
                parse_nameserver(nameserver)
            except ValueError:
                at.field("nameservers").item(index).error("expected an address or address:port")
        security = Security.LDAPS if self.security == "LDAPS" else Security.START_TLS
        return internal.SRV(
            name=self.name,
            security=Security.PLAINTEXT if insecure else security,
            port=self.port,
            nameservers=self.nameservers,
        )


class TLS(Wire, frozen=True):
    """The authority to trust in place of the system's, and a certificate of our own."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def to_settings(self, at: Place) -> internal.TLS:
        """Convert to the internal model."""
        if bool(self.cert_file) != bool(self.key_file):
            at.error("certFile and keyFile belong together")
        named = {"ca_file": "caFile", "certificate_file": "certFile", "key_file": "keyFile"}
        values = (self.ca_file, self.cert_file, self.key_file)
        return internal.TLS(
            **{
                name: at.field(wire).existing_file(value)
                for (name, wire), value in zip(named.items(), values, strict=True)
                if value
            }
        )


class Bind(Wire, frozen=True):
    """Who this service is to the directory: said always, so that none is anonymous by accident."""

    type: Literal["Simple", "External", "Anonymous"] = "Simple"
    dn: str = ""
    password_file: str = ""

    def to_settings(self, tls: TLS, at: Place) -> internal.Bind:
        """Convert to the internal model."""
        if self.type != "Simple":
            for name, value in (("dn", self.dn), ("passwordFile", self.password_file)):
                if value:
                    at.field(name).error(f"does not belong to type {self.type}")
            if self.type == "Anonymous":
                return internal.NoBind()
            if not tls.cert_file:
                at.error("type External needs tls.certFile, which says who the service is")
            return internal.ExternalBind()
        if not self.dn:
            at.field("dn").error("required for type Simple")
        if not self.password_file:
            at.field("passwordFile").error("required for type Simple")
            return internal.NoBind()
        file = secret_file(self.password_file, at.field("passwordFile"))
        return internal.SimpleBind(dn=self.dn, password_file=file)


class Users(Wire, frozen=True):
    """How a user's entry is found: by a search, or by a name made of theirs."""

    base: str = ""
    scope: ScopeName = "Subtree"
    filter: str = ""
    dn_template: str = msgspec.field(name="dnTemplate", default="")

    def to_settings(self, preset: Preset | None, base_dn: str, at: Place) -> internal.User:
        """Convert to the internal model."""
        if self.dn_template:
            for name, value in (("base", self.base), ("filter", self.filter)):
                if value:
                    at.field(name).error("does not go with dnTemplate")
            if _USERNAME not in self.dn_template:
                at.field("dnTemplate").error(f"holds no {_USERNAME}")
            return internal.UserTemplate(dn=self.dn_template)
        filter_ = self.filter or (preset.user_filter if preset else "")
        if not filter_:
            at.field("filter").error("required without a preset")
        else:
            _check(filter_.replace(_USERNAME, "x"), at.field("filter"))
            if _USERNAME not in filter_:
                at.field("filter").error(f"holds no {_USERNAME}")
        base = self.base or _below(base_dn, preset.users if preset else "")
        if not base:
            at.field("base").error("required without baseDN")
        return internal.UserSearch(base=base, filter=filter_, scope=_SCOPES[self.scope])


class Attributes(Wire, frozen=True):
    """Which attributes become what; ``dn`` is the entry's name. Unset: the preset's."""

    username: Attribute = ""
    uid: Attribute | None = None
    extra: dict[str, Attribute] = msgspec.field(default_factory=dict)

    def to_settings(self, preset: Preset | None, at: Place) -> internal.Attributes:
        """Convert to the internal model."""
        for key in self.extra:
            place = at.field("extra").field(key)
            if not _EXTRA_KEY.fullmatch(key):
                place.error("a key is lower-case letters, digits and -._/")
            check_extra_key(key, place)
        default = preset.attributes if preset else internal.Attributes()
        return internal.Attributes(
            username=self.username or default.username,
            uid=self.uid if self.uid is not None else default.uid,
            extra=tuple(self.extra.items()),
        )


class GroupSearch(Wire, frozen=True):
    """Groups that list their members. Unset: the preset's."""

    base: str | None = None
    scope: ScopeName | None = None
    filter: str | None = None
    member_attributes: tuple[Attribute, ...] | None = None
    member_value: Attribute | None = None
    name: Attribute | None = None
    nested: internal.Nested | None = None

    def to_settings(self, preset: Preset | None, base_dn: str, at: Place) -> internal.GroupSearch:
        """Convert to the internal model."""
        default = preset.groups if preset else None
        if not isinstance(default, internal.GroupSearch):
            default = internal.GroupSearch(base="")
        default = dataclasses.replace(default, base=_groups_base(preset, base_dn))
        search = dataclasses.replace(default, **_given(self))
        if not search.base:
            at.field("base").error("required without baseDN")
        if not search.member_attributes:
            at.field("memberAttributes").error("at least one is needed")
        _check(search.filter, at.field("filter"))
        if search.nested is not internal.Nested.NONE and search.member_value != internal.DN:
            at.field("nested").error("groups of groups are found by dn: memberValue must be dn")
        return search


class MemberOf(Wire, frozen=True):
    """Groups whose DNs the user's entry lists. Unset: the preset's."""

    attribute: Attribute | None = None
    base: str | None = None
    name: Attribute | None = None
    nested: Literal["None", "Recursive"] | None = None

    def to_settings(self, preset: Preset | None, base_dn: str) -> internal.MemberOf:
        """Convert to the internal model."""
        default = preset.groups if preset else None
        if not isinstance(default, internal.MemberOf):
            default = internal.MemberOf()
        elif default.base is not None:
            default = dataclasses.replace(default, base=_groups_base(preset, base_dn))
        return dataclasses.replace(default, **_given(self))


class Groups(Wire, frozen=True):
    """Where groups come from, and which are kept. With no source given: the preset's."""

    search: tuple[GroupSearch, ...] = ()
    member_of: MemberOf | None = None
    attribute: Attribute | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_groups: Count = 10_000
    max_depth: Count = 16

    def to_settings(self, preset: Preset | None, base_dn: str, at: Place) -> internal.Groups:
        """Convert to the internal model."""
        place = at.field("search")
        sources: list[internal.GroupSource] = [
            search.to_settings(preset, base_dn, place.item(index))
            for index, search in readable(self.search)
        ]
        if self.member_of is not None:
            sources.append(self.member_of.to_settings(preset, base_dn))
        if self.attribute is not None:
            sources.append(internal.GroupAttribute(attribute=self.attribute))
        if not sources and preset is not None:
            if isinstance(preset.groups, internal.MemberOf):
                sources.append(MemberOf().to_settings(preset, base_dn))
            else:
                sources.append(GroupSearch().to_settings(preset, base_dn, place))
        return internal.Groups(
            sources=tuple(sources),
            include=self.include,
            exclude=self.exclude,
            max_groups=self.max_groups,
            max_depth=self.max_depth,
        )


class Pool(Wire, frozen=True):
    """Connections that are kept, per server and use."""

    size: Count = 8
    idle: Duration = "60s"


class LDAP(Wire, frozen=True):
    """One directory behind one or more servers."""

    bind: Bind
    preset: Literal["ActiveDirectory", "OpenLDAP", "FreeIPA", "389DS"] | None = None
    base_dn: str = msgspec.field(name="baseDN", default="")
    servers: tuple[str, ...] = ()
    srv: SRV | None = None
    insecure: bool = False
    tls: TLS = TLS()
    users: Users = Users()
    attributes: Attributes = Attributes()
    groups: Groups = Groups()
    account_status: tuple[internal.AccountStatus, ...] | None = None
    username_prefix: str = ""
    groups_prefix: str = ""
    deadline: Duration = "5s"
    pool: Pool = Pool()
    page_size: Count = 500
    password_tokens: bool = False

    def to_settings(self, at: Place) -> LDAPSettings:
        """Convert to the internal model; errors are recorded at ``at``."""
        preset = PRESETS[self.preset] if self.preset else None
        if preset is not None and not self.base_dn:
            at.field("baseDN").error("required with a preset")
        status = preset.account_status if preset else frozenset()
        if self.account_status is not None:
            status = frozenset(self.account_status)
        if not seconds(self.deadline):
            at.field("deadline").error("must be over 0s")
        return LDAPSettings(
            servers=self._servers(at),
            bind=self.bind.to_settings(self.tls, at.field("bind")),
            user=self.users.to_settings(preset, self.base_dn, at.field("users")),
            tls=self.tls.to_settings(at.field("tls")),
            attributes=self.attributes.to_settings(preset, at.field("attributes")),
            groups=self.groups.to_settings(preset, self.base_dn, at.field("groups")),
            account_status=status,
            username_prefix=check_prefix(self.username_prefix, at.field("usernamePrefix")),
            groups_prefix=check_prefix(self.groups_prefix, at.field("groupsPrefix")),
            deadline=seconds(self.deadline),
            pool_size=self.pool.size,
            pool_idle=seconds(self.pool.idle),
            page_size=self.page_size,
            password_tokens=self.password_tokens,
        )

    def _servers(self, at: Place) -> tuple[internal.Server, ...] | internal.SRV:
        if bool(self.servers) == (self.srv is not None):
            at.field("servers").error("give either servers or srv")
        if self.srv is not None:
            return self.srv.to_settings(self.insecure, at.field("srv"))
        servers = [
            _server(url, self.insecure, at.field("servers").item(index))
            for index, url in enumerate(self.servers)
        ]
        found = tuple(server for server in servers if server is not None)
        if self.insecure and all(server.security is Security.LDAPS for server in found):
            at.field("insecure").error("only ldap:// servers can be insecure, and there are none")
        return found


def _server(url: str, insecure: bool, at: Place) -> internal.Server | None:
    example = "expected ldaps://host or ldap://host (which is StartTLS), with :port or without"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        at.error(example)
        return None
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in {"ldap", "ldaps"} or not parts.hostname or extra or port == 0:
        at.error(example)
        return None
    if parts.scheme == "ldaps":
        return internal.Server(host=parts.hostname, port=port or 636, security=Security.LDAPS)
    security = Security.PLAINTEXT if insecure else Security.START_TLS
    return internal.Server(host=parts.hostname, port=port or 389, security=security)


def _given(wire: GroupSearch | MemberOf) -> dict[str, Any]:
    """Return the fields that were set, in the form of the settings."""
    given: dict[str, Any] = {
        name: value for name, value in msgspec.structs.asdict(wire).items() if value is not None
    }
    if "scope" in given:
        given["scope"] = _SCOPES[given["scope"]]
    if "nested" in given:
        given["nested"] = internal.Nested(given["nested"])
    return given


def _groups_base(preset: Preset | None, base_dn: str) -> str:
    return _below(base_dn, preset.groups_base if preset else "")


def _below(base_dn: str, relative: str) -> str:
    return ",".join(part for part in (relative, base_dn) if part) if base_dn else ""


def _check(filter_: str, at: Place) -> None:
    # Late: who has no directory does not load an LDAP client.
    from authsvc.authn.ldap.connection import check_filter

    try:
        check_filter(filter_)
    except ValueError as error:
        at.error(f"not an LDAP filter: {error}")
