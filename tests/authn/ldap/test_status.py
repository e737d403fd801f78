"""Accounts that may not be used: by what the directory writes, and on the wire."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from authsvc.authn.ldap import status
from authsvc.authn.ldap.entry import Entry
from authsvc.authn.ldap.errors import EntryError
from authsvc.authn.ldap.settings import AccountStatus, Attributes
from tests.authn.ldap.conftest import MakeAuthenticator
from tests.parts.ldap_people import PASSWORDS, person
from tests.parts.slapd import Slapd

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOON_2026 = 134399088000000000  # the same as a FILETIME

AD = AccountStatus.ACTIVE_DIRECTORY
NORMAL = {"userAccountControl": "512"}
CASES = [
    (AD, NORMAL, None),
    (AD, {"userAccountControl": "514"}, "disabled"),
    (AD, {"userAccountControl": "66050"}, "disabled"),
    (AD, NORMAL | {"accountExpires": "0"}, None),
    (AD, NORMAL | {"accountExpires": "9223372036854775807"}, None),
    (AD, NORMAL | {"accountExpires": "9223372036854775806"}, None),
    (AD, NORMAL | {"accountExpires": str(NOON_2026)}, "expired"),
    (AD, NORMAL | {"accountExpires": str(NOON_2026 + 10)}, None),
    (AD, NORMAL | {"lockoutTime": "0"}, None),
    (AD, NORMAL | {"lockoutTime": str(NOON_2026)}, "locked out"),
    # The lock's time is over, though lockoutTime is still there.
    (AD, NORMAL | {"lockoutTime": "5", "msDS-User-Account-Control-Computed": "0"}, None),
    (AD, NORMAL | {"msDS-User-Account-Control-Computed": "16"}, "locked out"),
    (AD, NORMAL | {"msDS-User-Account-Control-Computed": "8388608"}, "password expired"),
    (AD, NORMAL | {"pwdLastSet": "0"}, "must be changed"),
    (AD, {"pwdLastSet": "0", "userAccountControl": "66048"}, None),
    (AD, {"pwdLastSet": "0", "userAccountControl": "513"}, "must be changed"),
    (AD, NORMAL | {"pwdLastSet": "1"}, None),
    (AccountStatus.PPOLICY, {"pwdAccountLockedTime": "000001010000Z"}, "locked"),
    (AccountStatus.PPOLICY, {"pwdAccountLockedTime": "20261123115900Z"}, "locked"),
    (AccountStatus.PPOLICY, {"pwdReset": "TRUE"}, "must be changed"),
    (AccountStatus.PPOLICY, {"pwdReset": "FALSE"}, None),
    (AccountStatus.NS_ACCOUNT_LOCK, {"nsAccountLock": "TRUE"}, "locked"),
    (AccountStatus.NS_ACCOUNT_LOCK, {"nsAccountLock": "false"}, None),
    (AccountStatus.KERBEROS, {"krbPrincipalExpiration": "20261123120000Z"}, "expired"),
    (AccountStatus.KERBEROS, {"krbPrincipalExpiration": "20261123120001Z"}, None),
    (AccountStatus.SHADOW, {"shadowExpire": "-1"}, None),
    (AccountStatus.SHADOW, {"shadowExpire": "20780"}, "expired"),
    (AccountStatus.SHADOW, {"shadowExpire": "20781"}, None),
]


def entry(attributes: dict[str, str]) -> Entry:
    return Entry("cn=x", {name: [value.encode()] for name, value in attributes.items()})


@pytest.mark.parametrize(("family", "attributes", "reason"), CASES)
def test_an_account_is_closed_when_its_directory_says_so(
    family: AccountStatus, attributes: dict[str, str], reason: str | None
) -> None:
    problem = status.problem(entry(attributes), [family], NOW)

    assert (problem is None) == (reason is None)
    if problem is not None and reason is not None:
        assert reason in problem.reason


@pytest.mark.parametrize(("family", "attributes"), [case[:2] for case in CASES])
def test_what_may_close_an_account_is_asked_of_the_directory(
    family: AccountStatus, attributes: dict[str, str]
) -> None:
    assert attributes.keys() <= set(status.attributes([family]))


@pytest.mark.parametrize(
    ("family", "attribute"),
    [
        (AD, "userAccountControl"),
        (AD, "accountExpires"),
        (AD, "lockoutTime"),
        (AccountStatus.SHADOW, "shadowExpire"),
        (AccountStatus.KERBEROS, "krbPrincipalExpiration"),
    ],
)
def test_an_attribute_of_another_form_is_a_failure(family: AccountStatus, attribute: str) -> None:
    with pytest.raises(EntryError, match=attribute):
        status.problem(entry(NORMAL | {attribute: "soon"}), [family], NOW)


def test_an_account_that_may_be_disabled_for_all_we_can_read_is_a_failure() -> None:
    with pytest.raises(EntryError, match="may not read userAccountControl of cn=x"):
        status.problem(entry({"accountExpires": "0"}), [AD], NOW)


def test_a_lasting_reason_is_told_before_a_passing_one() -> None:
    both = entry({"pwdAccountLockedTime": "20261123115900Z", "nsAccountLock": "true"})

    problem = status.problem(both, [AccountStatus.PPOLICY, AccountStatus.NS_ACCOUNT_LOCK], NOW)

    assert problem == status.Problem("locked (nsAccountLock)")


def test_it_is_told_so_whatever_they_are_called() -> None:
    both = entry(NORMAL | {"lockoutTime": str(NOON_2026), "pwdReset": "TRUE"})

    problem = status.problem(both, [AD, AccountStatus.PPOLICY], NOW)

    assert problem == status.Problem("password must be changed (pwdReset)")


@pytest.mark.parametrize("name", ["locked", "expired", "reset", "nslocked"])
def test_a_closed_account_does_not_get_in_with_the_right_password(
    make_authenticator: MakeAuthenticator, name: str
) -> None:
    authenticator = make_authenticator(account_status=frozenset(AccountStatus) - {AD})

    assert authenticator.authenticate_password(name, PASSWORDS[name]) is None


def test_a_lock_whose_time_is_over_does_not_cost_a_second_login(
    make_authenticator: MakeAuthenticator, slapd: Slapd
) -> None:
    authenticator = make_authenticator()
    policy = "cn=default,ou=policies,dc=example,dc=org"
    slapd.modify(
        f"dn: {policy}\nchangetype: modify\nadd: pwdLockoutDuration\npwdLockoutDuration: 1\n\n"
        f"dn: {person('empty-title')}\nchangetype: modify\nadd: pwdAccountLockedTime\n"
        "pwdAccountLockedTime: 20200101000000Z\n",
        relax=True,
    )

    assert authenticator.lookup("empty-title") is None
    user = authenticator.authenticate_password("empty-title", PASSWORDS["empty-title"])
    slapd.modify(f"dn: {policy}\nchangetype: modify\ndelete: pwdLockoutDuration\n")

    assert user is not None


def test_a_binary_guid_is_a_stable_text(
    make_authenticator: MakeAuthenticator, slapd: Slapd
) -> None:
    slapd.modify(
        f"dn: {person('odd')}\nchangetype: modify\nadd: objectClass\nobjectClass: testAccount\n-\n"
        "add: objectGUID\nobjectGUID:: MyIRAFVEd2aImaq7zN3u/w==\n"
    )

    user = make_authenticator(
        attributes=Attributes(username="uid", uid="objectGUID")
    ).authenticate_password("odd", PASSWORDS["odd"])

    assert user is not None
    assert user.uid == "00112233-4455-6677-8899-aabbccddeeff"


def test_a_sid_is_written_as_windows_does() -> None:
    sid = bytes.fromhex("010500000000000515000000a065cf7e784b9b5fe77c8770091c0100")
    binary = Entry("cn=x", {"objectSid": [sid], "jpegPhoto": [b"\xff\xd8"], "objectGUID": [b"x"]})

    assert binary.text("OBJECTSID") == "S-1-5-21-2127521184-1604012920-1887927527-72713"
    for attribute in ("jpegPhoto", "objectGUID"):
        with pytest.raises(EntryError, match="not text"):
            binary.text(attribute)
