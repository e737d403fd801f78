"""Bearer tokens that are base64(user:password): what every token authenticator must do."""

from __future__ import annotations

import base64

import pytest

from authsvc.authn.ldap.authenticator import LDAPAuthenticator
from authsvc.interfaces import TokenAuthenticator, UserInfo
from tests.authn.ldap.conftest import MakeAuthenticator, by_search
from tests.contract.token_authenticator import TokenAuthenticatorContract
from tests.parts.ldap_people import GROUPS, ODD_GROUP, PASSWORDS


def token(username: str, password: str) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


class TestPasswordTokens(TokenAuthenticatorContract):
    @pytest.fixture
    def authenticator(self, make_authenticator: MakeAuthenticator) -> TokenAuthenticator:
        return make_authenticator(password_tokens=True, groups=by_search(name="cn"))

    @pytest.fixture
    def good_token(self) -> str:
        return token("zoë", PASSWORDS["zoë"])

    @pytest.fixture
    def expected_user(self, authenticator: LDAPAuthenticator) -> UserInfo:
        user = authenticator.lookup("zoë")
        assert user is not None
        assert user.groups == (ODD_GROUP,)
        return user

    @pytest.mark.parametrize(
        "pair", [("odd", PASSWORDS["odd"]), ("o(x)*é", PASSWORDS["o(x)*é"])], ids=["colons", "name"]
    )
    def test_the_password_is_all_after_the_first_colon(
        self, authenticator: LDAPAuthenticator, pair: tuple[str, str]
    ) -> None:
        identity = authenticator.authenticate_token(token(*pair), ("https://api",))

        assert identity is not None
        assert identity.user.username == pair[0]
        assert identity.audiences == ()

    @pytest.mark.parametrize(
        "text",
        [
            "bob",
            "bob:battery staple",
            token("bob", PASSWORDS["bob"]) + "\n",
            token("zoë", PASSWORDS["zoë"]).rstrip("=") + "*",
            token("bob", PASSWORDS["bob"]) + "====",
            "\n" + token("bob", PASSWORDS["bob"]),
            base64.b64encode(b"bob").decode(),
            base64.b64encode(b"bob:\xff").decode(),
            token("bob", ""),
            token("", PASSWORDS["bob"]),
            token("bob", "wrong"),
        ],
    )
    def test_another_form_or_a_wrong_password_is_nobodys(
        self, authenticator: LDAPAuthenticator, text: str
    ) -> None:
        assert authenticator.authenticate_token(text, ()) is None


def test_they_are_off_by_default(make_authenticator: MakeAuthenticator) -> None:
    good = token("bob", PASSWORDS["bob"])

    assert make_authenticator().authenticate_token(good, ()) is None
    identity = make_authenticator(password_tokens=True).authenticate_token(good, ())
    assert identity is not None
    assert identity.user.groups == (f"cn=admins,{GROUPS}",)
