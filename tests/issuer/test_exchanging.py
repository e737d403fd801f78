"""A token of a provider, exchanged for one of ours (RFC 8693)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from authsvc.authn.issued import SESSION
from authsvc.interfaces import Identity, UserInfo
from authsvc.issuer.issuer import TokenTooLargeError
from tests.parts.issuer import MakeHouse


class Provider:
    """An OpenID provider's tokens, as an authenticator of this service knows them."""

    def __init__(self, expires_at: float | None, **extra: tuple[str, ...]) -> None:
        self.expires_at = expires_at
        self.extra = extra

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        del audiences
        if token != "an-id-token":
            return None
        user = UserInfo("oidc:carol", "7", ("oidc:dev",), self.extra)
        return Identity(user, (), self.expires_at)


def test_a_token_of_a_provider_is_exchanged_for_one_that_lasts_no_longer(
    make_house: MakeHouse,
) -> None:
    house = make_house(exchangeable=Provider(4_000_000_000.0 + 120))

    issued = house.issuer.exchange(house.caller(), "an-id-token", "kubernetes")

    assert issued is not None
    assert (issued.expires_in, issued.refresh_token) == (120, None)
    identity = house.authenticator.authenticate_token(issued.access_token, ())
    assert identity is not None
    assert identity.user.username == "oidc:carol"
    assert identity.user.groups == ("oidc:dev",)
    assert house.table.asked == 0


def test_an_exchanged_token_has_a_session_and_ends_with_it(make_house: MakeHouse) -> None:
    house = make_house(exchangeable=Provider(None))
    issued = house.issuer.exchange(house.caller(), "an-id-token", "kubernetes")
    assert issued is not None

    (session,) = house.opened.sessions(house.clock())
    house.issuer.sessions.end(session)

    assert (session.username, session.ends_at) == ("oidc:carol", house.clock() + 600)
    assert house.authenticator.authenticate_token(issued.access_token, ()) is None


def test_an_exchanged_token_keeps_its_groups_whatever_the_setting(make_house: MakeHouse) -> None:
    house = make_house(exchangeable=Provider(None), changes={"groups_in_token": False})

    issued = house.issuer.exchange(house.caller(), "an-id-token", "kubernetes")

    assert issued is not None
    identity = house.authenticator.authenticate_token(issued.access_token, ())
    assert identity is not None
    assert identity.user.groups == ("oidc:dev",)
    assert issued.expires_in == 600


@pytest.mark.parametrize("groups_in_token", [True, False])
def test_an_exchanged_token_keeps_its_extra_for_a_rule_may_deny_by_it(
    make_house: MakeHouse, groups_in_token: bool
) -> None:
    provider = Provider(None, **{"example.com/contractor": ("true",)})
    house = make_house(exchangeable=provider, changes={"groups_in_token": groups_in_token})

    issued = house.issuer.exchange(house.caller(), "an-id-token", "kubernetes")

    assert issued is not None
    identity = house.authenticator.authenticate_token(issued.access_token, ())
    assert identity is not None
    (session,) = house.opened.sessions(house.clock())
    assert identity.user.extra == {"example.com/contractor": ("true",), SESSION: (session.id,)}


def test_no_extra_of_a_provider_names_another_session(make_house: MakeHouse) -> None:
    house = make_house(exchangeable=Provider(None, **{SESSION: ("another",)}))

    issued = house.issuer.exchange(house.caller(), "an-id-token", "kubernetes")

    assert issued is not None
    identity = house.authenticator.authenticate_token(issued.access_token, ())
    assert identity is not None
    assert "another" not in identity.user.extra[SESSION]


def test_extra_that_no_token_holds_is_not_left_out_on_the_quiet(make_house: MakeHouse) -> None:
    house = make_house(exchangeable=Provider(None, **{"example.com/long": ("x" * 12_000,)}))

    with pytest.raises(TokenTooLargeError):
        house.issuer.exchange(house.caller(), "an-id-token", "kubernetes")

    assert house.opened.sessions(house.clock()) == []


class ForOneCluster:
    """A provider whose tokens are good for one API server's audience (``apiAudiences``)."""

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        del token
        if audiences and "dev" not in audiences:
            return None
        return Identity(UserInfo("oidc:carol"), ("dev",) if audiences else ())


def test_an_exchange_does_not_make_a_token_good_for_another_audience(
    make_house: MakeHouse,
) -> None:
    house = make_house(exchangeable=ForOneCluster(), changes={"audiences": ("dev", "prod")})

    assert house.issuer.exchange(house.caller(), "an-id-token", "dev") is not None
    assert house.issuer.exchange(house.caller(), "an-id-token", "prod") is None
    # A token for the issuer's own audience would be good for both.
    assert house.issuer.exchange(house.caller(), "an-id-token", "kubernetes") is None


def test_an_issued_token_is_not_exchanged_for_a_fresh_one(make_house: MakeHouse) -> None:
    house = make_house(exchangeable=Provider(None))
    issued = house.issuer.exchange(house.caller(), "an-id-token", "kubernetes")
    assert issued is not None

    assert house.issuer.exchange(house.caller(), issued.access_token, "kubernetes") is None
    assert house.issuer.exchange(house.caller(), "another", "kubernetes") is None
