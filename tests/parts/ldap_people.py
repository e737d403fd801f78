"""Who is in the test directory: some people with a story each, and a crowd.

The crowd is 5,000 users ``u0000`` … in 3,000 groups, nested and in cycles, with
the names that people give to groups. Everybody's password is in `PASSWORDS`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator

BASE = "dc=example,dc=org"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
SERVICE = f"cn=service,{BASE}"
CLOSED = f"ou=closed,{BASE}"

SERVICE_PASSWORD = "service:p(ss)*\\wörd"
CROWD_PASSWORD = "crowd"
CROWD_USERS = 5000
CROWD_GROUPS = 3000

MAX_FAILURE = 10
"""Wrong passwords after which the directory locks ``guarded``."""

PASSWORDS = {
    "guarded": "guarded",
    "alice": "correct horse",
    "bob": "battery staple",
    "o(x)*é": "ox",
    "judy": "judy",
    "odd": "a:b(c)*\\é",
    "many": "many",
    "zoë": "ζωή",
    "locked": "locked",
    "expired": "expired",
    "nslocked": "nslocked",
    "twin": "twin",
    "nobodys-mail": "mail",
    "three-mails": "mails",
    "empty-title": "title",
    "reset": "reset",
    "posix": "posix",
}

Attributes = dict[str, "str | bytes | list[str]"]


def ldif() -> Iterator[str]:
    """Give every entry of the directory as LDIF."""
    member_of: dict[str, list[str]] = {}
    groups = list(_groups())
    for dn, attributes in groups:
        members = attributes.get("member", [])
        for member in members if isinstance(members, list) else []:
            member_of.setdefault(member, []).append(dn)
    yield _entry(BASE, {"objectClass": ["dcObject", "organization"], "dc": "example", "o": "x"})
    for name in ("people", "groups", "policies", "closed"):
        yield _unit(f"ou={name},{BASE}", name)
    for name in ("east", "west"):
        yield _unit(f"ou={name},{GROUPS}", name)
    yield _unit(f"ou=contractors,{PEOPLE}", "contractors")
    yield _entry(
        SERVICE,
        {
            "objectClass": ["organizationalRole", "simpleSecurityObject"],
            "cn": "service",
            "userPassword": _hash(SERVICE_PASSWORD),
        },
    )
    yield _policy("default", max_failure=100_000)
    yield _policy("strict", max_failure=MAX_FAILURE)
    for dn, attributes in _people():
        found = member_of.get(dn)
        yield _entry(dn, {**attributes, "memberOf": found} if found else attributes)
    for dn, attributes in groups:
        found = member_of.get(dn)
        yield _entry(dn, {**attributes, "memberOf": found} if found else attributes)


def person(uid: str, unit: str = PEOPLE) -> str:
    """Return the DN of one of the people."""
    return f"uid={_escape(uid)},{unit}"


JUDY = f"cn=Judy *)(cn=admins,{PEOPLE}"
ODD_GROUP = "Größe, Müller (Köln)"


def _people() -> Iterator[tuple[str, Attributes]]:
    for uid in ("alice", "bob", "o(x)*é", "odd", "many", "zoë", "posix"):
        yield person(uid), _person(uid, mail=f"{uid}@example.org" if uid.isascii() else "")
    yield JUDY, _person("judy", cn="Judy *)(cn=admins")
    yield person("nopassword"), {**_person("nopassword", password=""), "sn": "x"}
    yield person("twin"), _person("twin")
    yield person("twin", f"ou=contractors,{PEOPLE}"), _person("twin")
    yield person("nobodys-mail"), _person("nobodys-mail")
    yield (
        person("three-mails"),
        {**_person("three-mails"), "mail": ["a@example.org", "b@example.org"]},
    )
    yield person("empty-title"), {**_person("empty-title"), "title": " "}
    strict = {"pwdPolicySubentry": f"cn=strict,ou=policies,{BASE}"}
    yield person("guarded"), {**_person("guarded"), **strict}
    yield person("locked"), {**_person("locked"), "pwdAccountLockedTime": "000001010000Z"}
    yield person("reset"), {**_person("reset"), "pwdReset": "TRUE"}
    yield (
        person("expired"),
        {
            **_person("expired"),
            "objectClass": ["inetOrgPerson", "shadowAccount"],
            "shadowExpire": "1000",
        },
    )
    yield (
        person("nslocked"),
        {
            **_person("nslocked"),
            "objectClass": ["inetOrgPerson", "testAccount"],
            "nsAccountLock": "true",
        },
    )
    yield (
        person("moved"),
        {
            "objectClass": ["referral", "extensibleObject"],
            "uid": "moved",
            "ref": "ldap://127.0.0.1:1/uid=moved,ou=people,dc=example,dc=org",
        },
    )
    for number in range(CROWD_USERS):
        yield person(f"u{number:04}"), _person(f"u{number:04}", password=CROWD_PASSWORD)


def _groups() -> Iterator[tuple[str, Attributes]]:
    yield _group("dev", [person("alice"), f"cn=staff,{GROUPS}"])
    yield _group("engineering", [f"cn=dev,{GROUPS}"])
    yield _group("staff", [f"cn=engineering,{GROUPS}"])  # and back to dev: a cycle
    yield _group("admins", [person("bob")])
    yield _group("judges", [JUDY])
    yield _group(ODD_GROUP, [person("zoë")])
    yield _group("ops", [person("alice")], f"ou=east,{GROUPS}")
    yield _group("ops", [person("alice")], f"ou=west,{GROUPS}")
    yield (
        f"cn=posixers,{GROUPS}",
        {
            "objectClass": "posixGroup",
            "cn": "posixers",
            "gidNumber": "1000",
            "memberUid": ["posix", "alice"],
        },
    )
    yield (
        f"ou=nameless,{GROUPS}",
        {
            "objectClass": ["groupOfNames", "extensibleObject"],
            "ou": "nameless",
            "cn": "nameless",
            "member": [person("odd")],
        },
    )
    for number in range(2500):
        yield _group(f"many{number:04}", [person("many")], CLOSED)
    for number in range(CROWD_GROUPS):
        members = [person(f"u{(number * 7 + step) % CROWD_USERS:04}") for step in range(8)]
        if number % 10 == 0:  # every tenth is in the next of its kind; the last in the first
            below = (number - 10) % CROWD_GROUPS if number % 100 else (number + 90) % CROWD_GROUPS
            members.append(f"cn={_escape(crowd_group(below))},{GROUPS}")
        yield _group(crowd_group(number), members)


def crowd_group(number: int) -> str:
    """Return the name of a group of the crowd."""
    names = ("g{}", "Team, {} (EU)", "grüppe-{}", "a/b+{}")
    return names[number % 4].format(f"{number:04}")


def _group(name: str, members: list[str], unit: str = GROUPS) -> tuple[str, Attributes]:
    attributes: Attributes = {"objectClass": "groupOfNames", "cn": name, "member": members}
    return f"cn={_escape(name)},{unit}", attributes


def _person(uid: str, cn: str = "", password: str | None = None, mail: str = "") -> Attributes:
    password = PASSWORDS.get(uid, "") if password is None else password
    attributes: Attributes = {
        "objectClass": "inetOrgPerson",
        "uid": uid,
        "cn": cn or uid,
        "sn": uid,
    }
    if password:
        attributes["userPassword"] = _hash(password)
    if mail:
        attributes["mail"] = mail
    return attributes


def _policy(name: str, max_failure: int) -> str:
    return _entry(
        f"cn={name},ou=policies,{BASE}",
        {
            "objectClass": ["organizationalRole", "pwdPolicy"],
            "cn": name,
            "pwdAttribute": "userPassword",
            "pwdLockout": "TRUE",
            "pwdMaxFailure": str(max_failure),
        },
    )


def _unit(dn: str, name: str) -> str:
    return _entry(dn, {"objectClass": "organizationalUnit", "ou": name})


def _entry(dn: str, attributes: Attributes) -> str:
    lines = [_line("dn", dn)]
    for name, values in attributes.items():
        lines.extend(_line(name, value) for value in _each(values))
    return "\n".join(lines) + "\n\n"


def _each(values: str | bytes | list[str]) -> Iterable[str | bytes]:
    return [values] if isinstance(values, str | bytes) else values


def _line(name: str, value: str | bytes) -> str:
    octets = value.encode() if isinstance(value, str) else value
    return f"{name}:: {base64.b64encode(octets).decode()}"


def _hash(password: str) -> str:
    salt = hashlib.sha256(password.encode()).digest()[:8]
    digest = hashlib.sha1(password.encode() + salt, usedforsecurity=False).digest()
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


def _escape(value: str) -> str:
    return "".join(
        f"\\{character}" if character in ',+"\\<>;' else character for character in value
    )
