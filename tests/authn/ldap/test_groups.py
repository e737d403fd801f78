"""Which groups a user has: all of them, each once, or a failure (against a real slapd)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from authsvc.authn.ldap.errors import EntryError
from authsvc.authn.ldap.settings import (
    GroupAttribute,
    Groups,
    GroupSearch,
    MemberOf,
    Nested,
    Security,
)
from authsvc.errors import BackendError
from tests.authn.ldap.conftest import MakeAuthenticator, by_search, server
from tests.parts.faulty_proxy import FaultyProxy
from tests.parts.ldap_people import (
    CLOSED,
    CROWD_PASSWORD,
    GROUPS,
    JUDY,
    ODD_GROUP,
    PASSWORDS,
    PEOPLE,
)
from tests.parts.slapd import Slapd

OPS = {f"cn=ops,ou=east,{GROUPS}", f"cn=ops,ou=west,{GROUPS}"}
NESTED = {f"cn={name},{GROUPS}" for name in ("dev", "engineering", "staff")}

RECURSIVE = [by_search().sources[0], MemberOf(name="dn", nested=Nested.RECURSIVE)]


def groups_of(make: MakeAuthenticator, name: str, groups: Groups) -> set[str]:
    user = make(groups=groups).authenticate_password(name, PASSWORDS[name])
    assert user is not None
    assert len(set(user.groups)) == len(user.groups)
    return set(user.groups)


def test_direct_groups_are_those_that_list_the_user(make_authenticator: MakeAuthenticator) -> None:
    found = groups_of(make_authenticator, "alice", by_search(nested=Nested.NONE))

    assert found == {f"cn=dev,{GROUPS}", *OPS}


@pytest.mark.parametrize(
    "groups",
    [
        by_search(nested=Nested.RECURSIVE),
        Groups(sources=(MemberOf(name="dn", nested=Nested.RECURSIVE),)),
        Groups(
            sources=(*by_search().sources, MemberOf(name="dn", nested=Nested.RECURSIVE)),
        ),
    ],
    ids=["search", "memberOf", "both"],
)
def test_nested_groups_are_found_through_a_cycle_each_once(
    make_authenticator: MakeAuthenticator, groups: Groups
) -> None:
    assert groups_of(make_authenticator, "alice", groups) == NESTED | OPS


def test_groups_of_groups_are_named_by_an_attribute_as_well(
    make_authenticator: MakeAuthenticator,
) -> None:
    member_of = MemberOf(name="cn", nested=Nested.RECURSIVE, base=GROUPS)
    read = MemberOf(name="description", base=GROUPS)

    with pytest.raises(EntryError, match="both named 'ops'; name groups by dn"):
        groups_of(make_authenticator, "alice", Groups(sources=(member_of,)))
    with pytest.raises(EntryError, match="no values of attribute description"):
        groups_of(make_authenticator, "bob", Groups(sources=(read,)))


def test_the_queries_for_a_cycle_are_bounded(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxy = faulty_proxy(slapd.port)
    authenticator = make_authenticator(servers=(server(proxy.port, Security.PLAINTEXT),))

    authenticator.authenticate_password("alice", PASSWORDS["alice"])

    # The user's entry; her groups; then one search a level: engineering, staff, nothing new.
    assert proxy.requests["search"] == 1 + 1 + 3


@pytest.mark.parametrize("source", RECURSIVE, ids=["search", "memberOf"])
@pytest.mark.parametrize(("depth", "number"), [(2, 100), (100, 4)], ids=["depth", "number"])
def test_more_than_the_limits_is_a_failure_and_not_a_shorter_list(
    make_authenticator: MakeAuthenticator,
    source: GroupSearch | MemberOf,
    depth: int,
    number: int,
) -> None:
    groups = Groups(sources=(source,), max_depth=depth, max_groups=number)

    with pytest.raises(BackendError, match="more than"):
        groups_of(make_authenticator, "alice", groups)


def test_the_same_cn_in_two_units_stays_two_groups(make_authenticator: MakeAuthenticator) -> None:
    assert groups_of(make_authenticator, "alice", by_search()) >= OPS


@pytest.mark.parametrize("source", [by_search(name="cn").sources[0], MemberOf(name="cn")])
def test_two_groups_of_one_name_are_a_failure_and_never_merged(
    make_authenticator: MakeAuthenticator, source: GroupSearch | MemberOf
) -> None:
    with pytest.raises(EntryError, match="both named 'ops'"):
        groups_of(make_authenticator, "alice", Groups(sources=(source,)))


def test_a_group_without_its_name_is_a_failure(make_authenticator: MakeAuthenticator) -> None:
    by_description = by_search(name="description")

    with pytest.raises(EntryError, match="no values of attribute description"):
        groups_of(make_authenticator, "bob", by_description)


def test_a_failing_search_for_groups_is_a_failure(make_authenticator: MakeAuthenticator) -> None:
    nowhere = by_search(base=f"ou=nowhere,{GROUPS}")

    with pytest.raises(BackendError, match="noSuchObject"):
        groups_of(make_authenticator, "bob", nowhere)


def test_a_cn_that_looks_like_a_filter_gains_no_group(
    make_authenticator: MakeAuthenticator,
) -> None:
    assert groups_of(make_authenticator, "judy", by_search(name="cn")) == {"judges"}
    assert JUDY.startswith("cn=Judy *)(cn=admins,")


@pytest.mark.parametrize("source", [by_search(name="cn").sources[0], MemberOf(name="cn")])
def test_names_with_commas_parentheses_and_umlauts_come_as_they_are(
    make_authenticator: MakeAuthenticator, source: GroupSearch | MemberOf
) -> None:
    assert groups_of(make_authenticator, "zoë", Groups(sources=(source,))) == {ODD_GROUP}


def test_all_groups_come_though_the_server_gives_a_thousand_at_a_time(
    make_authenticator: MakeAuthenticator,
) -> None:
    found = groups_of(make_authenticator, "many", by_search(base=CLOSED, name="cn"))

    assert found == {f"many{number:04}" for number in range(2500)}


def test_members_are_compared_by_another_attribute_for_posix_groups(
    make_authenticator: MakeAuthenticator,
) -> None:
    posix = by_search(
        filter="(objectClass=posixGroup)",
        member_attributes=("memberUid",),
        member_value="uid",
        name="cn",
        nested=Nested.NONE,
    )

    assert groups_of(make_authenticator, "posix", posix) == {"posixers"}


def test_a_user_without_groups_has_an_empty_list(make_authenticator: MakeAuthenticator) -> None:
    for source in (*by_search().sources, MemberOf(), GroupAttribute(attribute="title")):
        assert groups_of(make_authenticator, "o(x)*é", Groups(sources=(source,))) == set()


def test_groups_come_from_an_attribute_of_the_user(make_authenticator: MakeAuthenticator) -> None:
    groups = Groups(sources=(GroupAttribute(attribute="mail"),))

    assert groups_of(make_authenticator, "three-mails", groups) == {
        "a@example.org",
        "b@example.org",
    }


def test_only_groups_below_the_base_count(make_authenticator: MakeAuthenticator) -> None:
    groups = Groups(sources=(MemberOf(name="dn", base=f"OU=East, {GROUPS}"),))

    assert groups_of(make_authenticator, "alice", groups) == {f"cn=ops,ou=east,{GROUPS}"}


def test_names_are_included_and_excluded_whatever_their_case(
    make_authenticator: MakeAuthenticator,
) -> None:
    source = by_search().sources
    groups = Groups(
        sources=source,
        include=("CN=*,OU=GROUPS,*",),
        exclude=("*=Staff,*", "*,OU=east,*", "*,ou=WEST,*"),
    )

    assert groups_of(make_authenticator, "alice", groups) == NESTED - {f"cn=staff,{GROUPS}"}


def test_everybody_of_the_crowd_gets_the_same_groups_by_search_and_by_member_of(
    make_authenticator: MakeAuthenticator,
) -> None:
    by_member_of = Groups(sources=(MemberOf(name="cn", nested=Nested.RECURSIVE),))
    one, other = (
        make_authenticator(groups=by_search(name="cn")),
        make_authenticator(groups=by_member_of),
    )

    for number in range(0, 5000, 250):
        user = one.authenticate_password(f"u{number:04}", CROWD_PASSWORD)
        assert user is not None
        assert user == other.lookup(user.username)
        assert user.groups


def test_the_overlay_keeps_member_of_as_a_group_changes(
    make_authenticator: MakeAuthenticator, slapd: Slapd
) -> None:
    authenticator = make_authenticator(groups=Groups(sources=(MemberOf(name="cn"),)))
    dn = f"cn=visitors,{GROUPS}"
    slapd.modify(
        f"dn: {dn}\nchangetype: add\nobjectClass: groupOfNames\nmember: uid=odd,{PEOPLE}\n"
    )

    during = authenticator.authenticate_password("odd", PASSWORDS["odd"])
    slapd.modify(f"dn: {dn}\nchangetype: delete\n")
    after = authenticator.authenticate_password("odd", PASSWORDS["odd"])

    assert during is not None
    assert "visitors" in during.groups
    assert after is not None
    assert "visitors" not in after.groups
