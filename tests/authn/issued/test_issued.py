"""Issued tokens in TokenReviews: the signature says who, the directory says what is true now."""

from __future__ import annotations

import pytest

from authsvc.authn.cache import CachedTokenAuthenticator
from authsvc.authn.issued import SESSION
from authsvc.errors import BackendError
from authsvc.interfaces import Identity, TokenAuthenticator, UserInfo
from tests.contract.token_authenticator import TokenAuthenticatorContract
from tests.parts.issuer import PASSWORD, House, MakeHouse


class TestContract(TokenAuthenticatorContract):
    @pytest.fixture
    def authenticator(self, house: House) -> TokenAuthenticator:
        return house.authenticator

    @pytest.fixture
    def good_token(self, house: House) -> str:
        return _log_in(house)

    @pytest.fixture
    def expected_user(self) -> UserInfo:
        return UserInfo("alice", "1001", ("ops", "team-a"))


def _log_in(house: House) -> str:
    issued = house.issuer.log_in(house.caller(), "alice", PASSWORD, "kubernetes")
    assert issued is not None
    return issued.access_token


def _review(house: House, token: str, *audiences: str) -> Identity | None:
    return house.authenticator.authenticate_token(token, audiences)


def test_a_token_is_its_user_with_the_groups_of_the_directory(house: House) -> None:
    identity = _review(house, _log_in(house))

    assert identity is not None
    assert identity.user.username == "alice"
    assert identity.user.uid == "1001"
    assert identity.user.groups == ("ops", "team-a")
    (session,) = house.opened.sessions(house.clock())
    assert identity.user.extra == {SESSION: (session.id,)}


def test_a_token_without_groups_in_it_has_them_all_the_same(make_house: MakeHouse) -> None:
    house = make_house(changes={"groups_in_token": False})

    identity = _review(house, _log_in(house))

    assert identity is not None
    assert identity.user.groups == ("ops", "team-a")


def test_a_user_who_was_removed_is_out_within_the_ttl(house: House) -> None:
    token = _log_in(house)
    assert _review(house, token) is not None
    house.table.remove("alice")

    house.clock.advance(59)
    assert _review(house, token) is not None
    house.clock.advance(1)
    assert _review(house, token) is None


def test_a_cache_in_front_adds_nothing_to_that(house: House) -> None:
    cached = CachedTokenAuthenticator(
        house.authenticator, ttl=3600, clock=house.clock, wall_clock=house.clock
    )
    token = _log_in(house)
    house.clock.advance(30)
    assert cached.authenticate_token(token, ()) is not None
    house.table.remove("alice")

    house.clock.advance(30)

    assert cached.authenticate_token(token, ()) is None


def test_groups_of_now_are_known_within_the_ttl(house: House) -> None:
    token = _log_in(house)
    house.table.rows["alice"] = house.table.rows["alice"].replace("ops", "night-shift")
    house.table.write()
    house.clock.advance(60)

    identity = _review(house, token)

    assert identity is not None
    assert identity.user.groups == ("night-shift", "team-a")


def test_the_directory_is_asked_once_within_the_ttl(house: House) -> None:
    token = _log_in(house)
    house.clock.advance(60)

    for _ in range(20):
        assert _review(house, token) is not None

    assert house.table.asked == 1


def test_a_directory_that_is_down_is_a_failure_and_no_verdict(house: House) -> None:
    token = _log_in(house)
    house.table.down = True
    house.clock.advance(59)
    assert _review(house, token) is not None

    house.clock.advance(1)

    with pytest.raises(BackendError):
        _review(house, token)


def test_where_it_is_allowed_what_was_last_said_holds_a_while_longer(
    make_house: MakeHouse,
) -> None:
    house = make_house(changes={"facts_stale": 120.0})
    token = _log_in(house)
    house.table.down = True
    house.clock.advance(60)

    for _ in range(10):
        assert _review(house, token) is not None
    identity = _review(house, token)
    assert identity is not None
    assert identity.expires_at == house.clock() + 5
    assert house.table.asked == 1
    house.clock.advance(119)
    assert _review(house, token) is not None
    house.clock.advance(5)
    with pytest.raises(BackendError):
        _review(house, token)


def test_an_identity_expires_with_its_token(make_house: MakeHouse) -> None:
    house = make_house(changes={"facts_ttl": 3600.0})
    token = _log_in(house)

    identity = _review(house, token)

    assert identity is not None
    assert identity.expires_at == house.clock() + 600


def test_a_token_is_good_for_whichever_api_server_asks(house: House) -> None:
    token = _log_in(house)

    asked = _review(house, token, "https://kubernetes.default.svc")
    named = _review(house, token, "x", "kubernetes")

    assert asked is not None
    assert asked.audiences == ()
    assert named is not None
    assert named.audiences == ("kubernetes",)


def test_a_token_of_a_directory_that_is_gone_from_the_configuration_is_a_failure(
    house: House,
) -> None:
    token = _log_in(house)
    house.directories._directories.clear()
    house.directories._facts.clear()

    with pytest.raises(BackendError, match="not configured"):
        _review(house, token)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "authsvc_rt_x"])
def test_what_is_not_ours_is_nobodys(house: House, token: str) -> None:
    assert _review(house, token) is None


def test_a_refresh_token_is_no_bearer_token(house: House) -> None:
    issued = house.issuer.log_in(house.caller(), "alice", PASSWORD, "kubernetes")
    assert issued is not None

    assert _review(house, str(issued.refresh_token)) is None


def test_an_explanation_tells_each_step(house: House) -> None:
    told = house.authenticator.explain(_log_in(house), ())

    assert told.identity is not None
    assert told.identity.user.username == "alice"
    steps = ["route", "signature", "session", "audience", "directory"]
    assert [check.name for check in told.checks] == steps


def test_an_explanation_ends_at_the_step_that_refuses(house: House) -> None:
    token = _log_in(house)
    cut = house.authenticator.explain(token[:-4], ())
    strange = house.authenticator.explain("opaque", ())
    house.table.remove("alice")
    house.clock.advance(60)
    removed = house.authenticator.explain(token, ())

    assert [each.identity for each in (cut, strange, removed)] == [None] * 3
    assert [each.checks[-1].name for each in (cut, strange, removed)] == [
        *("signature", "route", "directory")
    ]
