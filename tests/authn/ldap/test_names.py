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
        ("cn= a ,dc=example", ("cn", "a")),
        ("cn=\\ a \\ ,dc=example", ("cn", " a  ")),
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
        ("cn=a,ou=R\\2cD,dc=x", "ou=R\\,D,dc=x", True),
        ("cn=a,ou=R\\,D,dc=x", "ou=r\\2Cd,dc=x", True),
        ("cn=a,ou=Gr\\c3\\b6\\C3\\9Fe,dc=x", "ou=Größe,dc=x", True),
        ("cn=a,ou=b+l=c,dc=x", "L = c + OU = b,dc=x", True),
        ("cn=a,2.5.4.11=b,dc=x", "ou=b,dc=x", True),
        ("cn=a,ou=R\\,D,dc=x", "D,dc=x", False),
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


def escaped_at_least(value: str) -> str:
    """Return the value with as few escapes as RFC 4514 asks for."""
    text = "".join(f"\\{each}" if each in '\\,+"<>;' else each for each in value)
    text = text.replace("\0", "\\00")
    if text.startswith((" ", "#")):
        text = "\\" + text
    return text[:-1] + "\\ " if text.endswith(" ") and text != "\\ " else text


@given(TEXT)
def test_however_a_value_is_escaped_it_is_one_dn(value: str) -> None:
    spelled = [f"cn={escape(value)},dc=x" for escape in (names.escape_dn_value, escaped_at_least)]

    assert names.first_rdn(spelled[1]) == ("cn", value)
    assert len({names.normalise_dn(dn) for dn in spelled}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cn=a\\,b", "cn=a,b"),
        ("cn=a\\+b=c", "cn=a+b=c"),
        ("cn=a\\\\,b", "cn=a\\,b"),
        ("cn=\\#0402", "cn=#0402"),
        ("cn=\\ff", "cn=ff"),
        ("cn=\\ff", "cn=\\fe"),
        ("cn=\\ff", "cn=\\\\ff"),
        ("cn=a\\ ", "cn=a"),
    ],
)
def test_two_dns_do_not_become_one(one: str, other: str) -> None:
    assert names.normalise_dn(one) != names.normalise_dn(other)


def test_a_known_user_is_searched_by_the_attribute_that_named_them() -> None:
    template = "(&(objectClass=person)(|(mail={username})(uid={username})))"

    assert names.known_user_filter(template, "uid", "a*b") == (
        "(&(uid=a\\2ab)(&(objectClass=person)(|(mail=*)(uid=*))))"
    )


def test_the_examples_are_true() -> None:
    assert doctest.testmod(names).failed == 0
