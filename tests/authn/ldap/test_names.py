"""Text into filters and DNs, and names out of them."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.search import parse_filter

from authsvc.authn.ldap import names

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(TEXT)
def test_an_escaped_value_is_one_assertion_of_exactly_that_value(value: str) -> None:
    parsed = parse_filter(
        names.fill_filter("(uid={username})", value),
        schema=None,
        auto_escape=False,
        auto_encode=False,
        validator=None,
        check_names=False,
    )

    (node,) = parsed.elements
    assert node.elements == []
    assert node.assertion["attr"] == "uid"
    escaped = node.assertion["value"].decode()
    assert not set(escaped) & set("*()\0 ")
    assert names._unescape(escaped) == value


@given(TEXT)
def test_an_escaped_dn_value_is_one_part_of_exactly_that_value(value: str) -> None:
    dn = names.fill_dn("uid={username},ou=people,dc=example,dc=org", value)

    assert names.first_rdn(dn) == ("uid", value)
    assert names.is_below(dn, "OU=People, DC=example,DC=org")


@pytest.mark.parametrize(
    ("dn", "rdn"),
    [
        ("CN=O\\, P,dc=example", ("CN", "O, P")),
        ("cn=O\\2c P,dc=example", ("cn", "O, P")),
        ("cn=Gr\\c3\\b6\\c3\\9fe,dc=example", ("cn", "Größe")),
        ("cn=a=b,dc=example", ("cn", "a=b")),
        ("cn = a,dc=example", ("cn", "a")),
        ("cn=a\\+b,dc=example", ("cn", "a+b")),
        ("cn=a\\\\,dc=example", ("cn", "a\\")),
        ("cn=a+uid=b,dc=example", None),
        ("cn=#04024869,dc=example", None),
        ("cn=\\ff,dc=example", None),
        ("", None),
    ],
)
def test_the_first_part_of_a_dn_is_read_with_its_escapes(
    dn: str, rdn: tuple[str, str] | None
) -> None:
    assert names.first_rdn(dn) == rdn


@pytest.mark.parametrize(
    ("dn", "base", "below"),
    [
        ("cn=a,ou=groups,dc=x", "ou=groups,dc=x", True),
        ("CN=a, OU=Groups , DC=x", "ou=groups,dc=x", True),
        ("ou=groups,dc=x", "ou=groups,dc=x", True),
        ("cn=a\\,ou=groups,dc=x", "ou=groups,dc=x", False),
        ("cn=a\\\\,ou=groups,dc=x", "ou=groups,dc=x", True),
        ("cn=a,ou=moregroups,dc=x", "groups,dc=x", False),
        ("cn=a,dc=x", "ou=groups,dc=x", False),
    ],
)
def test_a_dn_is_below_a_base_by_its_parts(dn: str, base: str, below: bool) -> None:
    assert names.is_below(dn, base) is below


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("CN=A, OU=Groups , DC=x", "cn=a,ou=groups,dc=x", True),
        ("cn = a + uid = b,dc=x", "cn=a+uid=b,dc=x", True),
        ("cn=a+uid=b,dc=x", "cn=a,uid=b,dc=x", False),
        ("cn=a\\+uid=b,dc=x", "cn=a+uid=b,dc=x", False),
        ("cn=a,dc=x", "cn=b,dc=x", False),
    ],
)
def test_two_spellings_of_a_dn_are_one(one: str, other: str, same: bool) -> None:
    assert (names.normalise_dn(one) == names.normalise_dn(other)) is same


def test_a_known_user_is_searched_by_the_attribute_that_named_them() -> None:
    template = "(&(objectClass=person)(|(mail={username})(uid={username})))"

    assert names.known_user_filter(template, "uid", "a*b") == (
        "(&(uid=a\\2ab)(&(objectClass=person)(|(mail=*)(uid=*))))"
    )


def test_the_examples_are_true() -> None:
    assert doctest.testmod(names).failed == 0
