"""Who gets in with a password, and who does not (against a real slapd)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from authsvc.authn.ldap.errors import EntryError, RefusedError
from authsvc.authn.ldap.settings import (
    Attributes,
    NoBind,
    Scope,
    Security,
    SimpleBind,
    UserSearch,
    UserTemplate,
)
from authsvc.errors import BackendError
from tests.authn.ldap.conftest import USERS, MakeAuthenticator, by_search, server
from tests.parts import ldap_people
from tests.parts.faulty_proxy import FaultyProxy
from tests.parts.ldap_people import BASE, GROUPS, PASSWORDS, PEOPLE
from tests.parts.slapd import Slapd

TEMPLATE = UserTemplate(dn=f"uid={{username}},{PEOPLE}")


def test_the_right_password_gives_the_mapped_user(make_authenticator: MakeAuthenticator) -> None:
    authenticator = make_authenticator(
        username_prefix="ldap:",
        groups_prefix="ldap:",
        attributes=Attributes(
            username="uid",
            uid="entryUUID",
            extra=(("example.org/mail", "mail"), ("example.org/dn", "dn"), ("title", "title")),
        ),
    )

    user = authenticator.authenticate_password("bob", PASSWORDS["bob"])

    assert user is not None
    assert user.username == "ldap:bob"
    assert len(user.uid) == 36
    assert user.groups == (f"ldap:cn=admins,{GROUPS}",)
    assert user.extra == {
        "example.org/mail": ("bob@example.org",),
        "example.org/dn": (f"uid=bob,{PEOPLE}",),
    }


def test_the_name_is_the_directorys_spelling_not_the_typed_one(
    make_authenticator: MakeAuthenticator,
) -> None:
    user = make_authenticator().authenticate_password(" BOB ", PASSWORDS["bob"])

    assert user is not None
    assert user.username == "bob"


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("bob", "wrong"),
        ("bob", PASSWORDS["bob"].upper()),
        ("bob", PASSWORDS["bob"] + " "),
        ("bob", PASSWORDS["bob"] + "\x00"),
        ("bob", "\ud800"),
        ("nosuchuser", "x"),
        ("nopassword", "x"),
        ("a*", PASSWORDS["alice"]),
        ("*", PASSWORDS["alice"]),
        ("alice)(uid=*", PASSWORDS["alice"]),
        ("alice\x00", PASSWORDS["alice"]),
        ("\x00", "x"),
        ("\\", "x"),
        ("\\61lice", PASSWORDS["alice"]),
        ("bob,ou=people", PASSWORDS["bob"]),
        ("\ud800", "x"),
        ("b" * 300, "x"),
    ],
)
@pytest.mark.parametrize("user", [USERS, TEMPLATE], ids=["search", "template"])
def test_anything_else_is_nobody(
    make_authenticator: MakeAuthenticator,
    user: UserSearch | UserTemplate,
    username: str,
    password: str,
) -> None:
    assert make_authenticator(user=user).authenticate_password(username, password) is None


@pytest.mark.parametrize("name", ["o(x)*é", "odd", "zoë"])
@pytest.mark.parametrize("user", [USERS, TEMPLATE], ids=["search", "template"])
def test_a_name_or_password_with_special_characters_logs_in(
    make_authenticator: MakeAuthenticator, user: UserSearch | UserTemplate, name: str
) -> None:
    found = make_authenticator(user=user).authenticate_password(name, PASSWORDS[name])

    assert found is not None
    assert found.username == name


@pytest.mark.parametrize(
    ("username", "password"),
    [("", "x"), ("", ""), ("bob", ""), (" ", "x"), ("\t\n", "x"), ("nosuchuser", "")],
)
@pytest.mark.parametrize("user", [USERS, TEMPLATE], ids=["search", "template"])
def test_without_a_name_or_a_password_nothing_is_sent(
    make_authenticator: MakeAuthenticator,
    faulty_proxy: Callable[..., FaultyProxy],
    slapd: Slapd,
    user: UserSearch | UserTemplate,
    username: str,
    password: str,
) -> None:
    proxy = faulty_proxy(slapd.port)
    authenticator = make_authenticator(user=user, servers=(server(proxy.port, Security.PLAINTEXT),))

    assert authenticator.authenticate_password(username, password) is None
    assert proxy.connections == 0


def test_an_unknown_user_costs_the_same_exchanges_as_a_wrong_password(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxy = faulty_proxy(slapd.port)
    authenticator = make_authenticator(servers=(server(proxy.port, Security.PLAINTEXT),))
    authenticator.authenticate_password("bob", "warms the pool")
    exchanges = []

    for name in ("bob", "nosuchuser", "nopassword", "locked"):
        proxy.forget()
        assert authenticator.authenticate_password(name, "wrong") is None
        exchanges.append(dict(proxy.requests))

    assert exchanges == [{"search": 1, "bind": 1}] * 4


def test_a_cold_login_is_a_search_a_bind_and_a_search_for_groups(
    make_authenticator: MakeAuthenticator, faulty_proxy: Callable[..., FaultyProxy], slapd: Slapd
) -> None:
    proxy = faulty_proxy(slapd.port)
    authenticator = make_authenticator(
        servers=(server(proxy.port, Security.PLAINTEXT),),
        groups=by_search(filter="(&(objectClass=groupOfNames)(!(cn=none)))"),
    )
    authenticator.authenticate_password("odd", PASSWORDS["odd"])
    proxy.forget()

    authenticator.authenticate_password("judy", PASSWORDS["judy"])

    # The second search for groups is for the groups of the one that was found.
    assert proxy.requests == {"search": 3, "bind": 1}
    assert proxy.connections == 0


def test_two_matching_entries_are_a_failure(make_authenticator: MakeAuthenticator) -> None:
    with pytest.raises(EntryError, match="more than one entry"):
        make_authenticator().authenticate_password("twin", PASSWORDS["twin"])


@pytest.mark.parametrize(
    ("name", "attribute", "message"),
    [
        ("nobodys-mail", "mail", "has no values of attribute mail"),
        ("three-mails", "mail", "has 2 values of attribute mail"),
        ("empty-title", "title", "attribute title .* is empty"),
    ],
)
def test_a_user_whose_mapped_attribute_is_not_one_value_is_a_failure(
    make_authenticator: MakeAuthenticator, name: str, attribute: str, message: str
) -> None:
    as_username = make_authenticator(attributes=Attributes(username=attribute))
    as_uid = make_authenticator(attributes=Attributes(username="uid", uid=attribute))

    for authenticator in (as_username, as_uid):
        with pytest.raises(EntryError, match=message):
            authenticator.authenticate_password(name, PASSWORDS[name])


def test_a_base_that_does_not_exist_is_a_failure(make_authenticator: MakeAuthenticator) -> None:
    authenticator = make_authenticator(
        user=UserSearch(base=f"ou=nowhere,{BASE}", filter=USERS.filter)
    )

    with pytest.raises(RefusedError, match=r"noSuchObject \(32\)"):
        authenticator.authenticate_password("bob", PASSWORDS["bob"])


def test_a_bad_filter_is_a_failure(make_authenticator: MakeAuthenticator) -> None:
    authenticator = make_authenticator(user=UserSearch(base=PEOPLE, filter="(uid={username}"))

    with pytest.raises(BackendError, match="filter"):
        authenticator.authenticate_password("bob", PASSWORDS["bob"])


def test_a_refused_bind_of_the_service_is_a_failure_and_not_tried_again_at_once(
    make_authenticator: MakeAuthenticator,
    faulty_proxy: Callable[..., FaultyProxy],
    slapd: Slapd,
) -> None:
    proxy = faulty_proxy(slapd.port)
    file = slapd.folder / "wrong-password"
    file.write_text("wrong\n")
    authenticator = make_authenticator(
        servers=(server(proxy.port, Security.PLAINTEXT),),
        bind=SimpleBind(dn=ldap_people.SERVICE, password_file=file),
    )

    for _ in range(3):
        with pytest.raises(RefusedError, match=r"bind of the service|not tried again"):
            authenticator.authenticate_password("bob", PASSWORDS["bob"])
    assert proxy.requests == {"bind": 1}

    file.write_text(ldap_people.SERVICE_PASSWORD)
    assert authenticator.authenticate_password("bob", PASSWORDS["bob"]) is not None


def test_a_service_password_that_is_missing_or_empty_is_a_failure_without_a_bind(
    make_authenticator: MakeAuthenticator, slapd: Slapd
) -> None:
    empty, missing = slapd.folder / "empty", slapd.folder / "missing"
    empty.write_text("\n")

    for file in (empty, missing):
        authenticator = make_authenticator(
            bind=SimpleBind(dn=ldap_people.SERVICE, password_file=file)
        )
        with pytest.raises(BackendError, match=file.name):
            authenticator.authenticate_password("bob", PASSWORDS["bob"])


def test_a_service_that_may_not_search_is_never_an_authentication(
    make_authenticator: MakeAuthenticator,
) -> None:
    with pytest.raises(RefusedError, match="noSuchObject"):
        make_authenticator(bind=NoBind()).authenticate_password("bob", PASSWORDS["bob"])


def test_a_search_of_one_level_does_not_find_who_is_below(
    make_authenticator: MakeAuthenticator,
) -> None:
    authenticator = make_authenticator(
        user=UserSearch(base=PEOPLE, filter=USERS.filter, scope=Scope.ONE)
    )

    assert authenticator.authenticate_password("twin", PASSWORDS["twin"]) is not None


class TestLookup:
    def test_a_known_user_is_found_with_the_present_groups(
        self, make_authenticator: MakeAuthenticator, slapd: Slapd
    ) -> None:
        authenticator = make_authenticator(username_prefix="ldap:")
        assert authenticator.authenticate_password("u0042", ldap_people.CROWD_PASSWORD) is not None
        dn = f"cn=latecomers,{GROUPS}"

        slapd.modify(
            f"dn: {dn}\nchangetype: add\nobjectClass: groupOfNames\n"
            f"member: {ldap_people.person('u0042')}\n"
        )
        after = authenticator.lookup("ldap:u0042")
        slapd.modify(f"dn: {dn}\nchangetype: delete\n")
        later = authenticator.lookup("ldap:u0042")

        assert after is not None
        assert dn in after.groups
        assert later is not None
        assert dn not in later.groups

    @pytest.mark.parametrize(
        "name", ["bob", "ldap:BOB", "ldap:*", "ldap:", "ldap: ", "", "ldap:nosuchuser", "ldap:bob "]
    )
    def test_another_name_than_the_one_that_was_given_is_nobodys(
        self, make_authenticator: MakeAuthenticator, name: str
    ) -> None:
        assert make_authenticator(username_prefix="ldap:").lookup(name) is None

    def test_who_logs_in_by_mail_is_known_by_uid_and_the_filter_still_holds(
        self, make_authenticator: MakeAuthenticator
    ) -> None:
        by_mail = UserSearch(base=PEOPLE, filter="(&(mail={username})(!(uid=alice)))")
        authenticator = make_authenticator(user=by_mail)

        user = authenticator.authenticate_password("bob@example.org", PASSWORDS["bob"])

        assert user is not None
        assert user.username == "bob"
        assert authenticator.lookup("bob") == user
        assert authenticator.lookup("alice") is None

    def test_a_template_finds_known_users_as_well(
        self, make_authenticator: MakeAuthenticator
    ) -> None:
        authenticator = make_authenticator(user=TEMPLATE)

        assert authenticator.lookup("o(x)*é") is not None
        assert authenticator.lookup("BOB") is None

    @pytest.mark.parametrize("name", ["locked", "expired", "reset"])
    def test_a_closed_account_is_gone(
        self, make_authenticator: MakeAuthenticator, name: str
    ) -> None:
        assert make_authenticator().lookup(name) is None
