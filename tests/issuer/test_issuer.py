"""Who gets a token: logins, and what slows and what ends them."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from authsvc.attempts import Curve, TooManyAttemptsError, user_key
from authsvc.authn.guard import MAX_TOKEN_BYTES
from authsvc.errors import BackendError
from authsvc.interfaces import UserInfo
from authsvc.issuer.issuer import Issued, TokenTooLargeError
from tests.parts.issuer import PASSWORD, House, MakeHouse, cheap_hash
from tests.parts.waiting import eventually

_FORK = multiprocessing.get_context("fork")


def _log_in(
    house: House, username: str = "alice", password: str = PASSWORD, address: str = "192.0.2.7"
) -> Issued | None:
    return house.issuer.log_in(house.caller(address), username, password, "kubernetes")


def test_a_login_opens_a_session_that_says_which_device_it_is(house: House) -> None:
    issued = _log_in(house)

    assert issued is not None
    assert issued.expires_in == 600
    (session,) = house.opened.sessions(house.clock(), "alice")
    assert (session.client, session.address) == ("kubectl-authsvc", "192.0.2.7")
    assert (session.directory, session.audience) == ("table", "kubernetes")


def test_a_login_makes_a_token_of_the_user_and_their_groups(house: House) -> None:
    issued = _log_in(house)

    assert issued is not None
    verified = house.issuer.tokens.verify(issued.access_token)
    assert verified is not None
    assert verified.user == UserInfo("alice", "1001", ("ops", "team-a"))


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("alice", "wrong"),
        ("alice", PASSWORD.upper()),
        ("alice", ""),
        ("alice", "x" * 1025),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("Alice", PASSWORD),
        ("x" * 1025, PASSWORD),
    ],
)
def test_wrong_credentials_open_nothing(house: House, username: str, password: str) -> None:
    assert _log_in(house, username, password) is None
    assert house.opened.sessions(house.clock()) == []


def _fail(house: House, username: str, marks: multiprocessing.Queue[str] | None = None) -> str:
    with capture_logs() as logs:
        assert _log_in(house, username, "wrong") is None
    (mark,) = (str(each["login"]) for each in logs if each["event"] == "login_failed")
    if marks is not None:
        marks.put(mark)
    return mark


def test_the_log_tells_that_a_name_failed_again_but_not_which(house: House) -> None:
    first, again, other = (_fail(house, name) for name in ("canary", " Canary", "another"))

    assert first == again != other
    digest = user_key("canary").removeprefix("user:")
    assert first not in digest
    assert digest[:8] not in first


def test_the_workers_of_a_service_tell_the_same_name_alike(house: House) -> None:
    marks = _FORK.Queue()
    worker = _FORK.Process(target=_fail, args=(house, "canary", marks))

    worker.start()

    assert marks.get(timeout=60) == _fail(house, "canary")
    worker.join()


def test_after_too_many_wrong_passwords_the_right_one_has_to_wait_as_well(house: House) -> None:
    for _ in range(3):
        assert _log_in(house, password="wrong") is None

    with pytest.raises(TooManyAttemptsError) as refused:
        _log_in(house)
    assert refused.value.retry_after == 30
    house.clock.advance(30)

    assert _log_in(house) is not None
    assert _log_in(house, password="wrong") is None


def test_another_user_is_not_slowed_by_that(house: House) -> None:
    for _ in range(3):
        _log_in(house, password="wrong")

    assert _log_in(house, "bob", "canary-bob") is not None


def test_an_address_that_tries_many_names_is_slowed(make_house: MakeHouse) -> None:
    house = make_house(changes={"address_attempts": Curve(free=4)})
    for number in range(4):
        assert _log_in(house, f"user{number}", "guess") is None

    with pytest.raises(TooManyAttemptsError):
        _log_in(house)
    assert _log_in(house, address="198.51.100.9") is not None


def test_the_counters_are_shared_by_the_workers(make_house: MakeHouse) -> None:
    here, there = make_house(), make_house()
    for worker in (here, there, here):
        _log_in(worker, password="wrong")

    with pytest.raises(TooManyAttemptsError):
        _log_in(there)


def test_a_directory_that_is_down_is_no_failed_attempt(house: House) -> None:
    house.table.down = True
    for _ in range(60):
        with pytest.raises(BackendError, match="away"):
            _log_in(house)
    house.table.down = False

    assert _log_in(house) is not None


def test_nobody_logs_in_as_the_control_plane(house: House) -> None:
    house.table.rows["alice"] = house.table.rows["alice"].replace("ops", "system:masters")
    house.table.write()

    issued = _log_in(house)

    assert issued is not None
    verified = house.issuer.tokens.verify(issued.access_token)
    assert verified is not None
    assert verified.user.groups == ("team-a",)


def test_a_login_may_be_for_one_audience_of_those_configured(make_house: MakeHouse) -> None:
    house = make_house(changes={"audiences": ("prod",)})

    issued = house.issuer.log_in(house.caller(), "alice", PASSWORD, "prod")

    assert issued is not None
    assert house.authenticator.authenticate_token(issued.access_token, ["dev"]) is None
    assert house.authenticator.authenticate_token(issued.access_token, ()) is None
    identity = house.authenticator.authenticate_token(issued.access_token, ["dev", "prod"])
    assert identity is not None
    assert identity.audiences == ("prod",)


def test_while_the_store_is_down_nobody_logs_in_and_tokens_still_verify(
    house: House, tmp_path: Path
) -> None:
    issued = _log_in(house)
    assert issued is not None
    assert house.authenticator.authenticate_token(issued.access_token, ()) is not None
    house.opened.close()
    (tmp_path / "store.db").rename(tmp_path / "away")
    (tmp_path / "store.db").mkdir()

    with pytest.raises(BackendError):
        _log_in(house)
    house.issuer.revocations.refresh()
    assert house.authenticator.authenticate_token(issued.access_token, ()) is not None

    (tmp_path / "store.db").rmdir()
    (tmp_path / "away").rename(tmp_path / "store.db")
    assert house.issuer.refresh(house.caller(), str(issued.refresh_token)) is not None


def test_no_failure_of_the_store_ends_the_reading_of_revocations(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_: float) -> frozenset[str]:
        raise RuntimeError

    monkeypatch.setattr(house.opened, "revoked", crash)
    monkeypatch.setattr(house.opened, "purge", crash)
    house.issuer.revocations._poll_seconds = 0.01
    house.issuer.start()
    eventually(lambda: not house.issuer.revocations._healthy, "it has failed")

    monkeypatch.undo()

    eventually(lambda: house.issuer.revocations._healthy, "it reads again")


def test_a_worker_that_never_read_the_revocations_does_not_guess(
    make_house: MakeHouse, tmp_path: Path
) -> None:
    house = make_house()
    issued = _log_in(house)
    assert issued is not None
    later = make_house()
    house.close()
    later.close()
    for file in tmp_path.glob("store.db*"):
        file.unlink()
    (tmp_path / "store.db").mkdir()

    with pytest.raises(BackendError):
        later.authenticator.authenticate_token(issued.access_token, ())


def _in_many_groups(house: House) -> None:
    groups = ",".join(f"a-group-with-a-long-name-{number}" for number in range(400))
    house.table.rows["alice"] = f'{cheap_hash(PASSWORD)}:1001:"{groups}"'
    house.table.write()


def test_a_token_that_no_review_would_take_is_not_issued(house: House) -> None:
    _in_many_groups(house)

    with pytest.raises(TokenTooLargeError, match=r"issuer\.tokens\.groups: false"):
        _log_in(house)

    assert house.opened.sessions(house.clock()) == []


def test_without_groups_in_tokens_a_user_may_have_any_number(make_house: MakeHouse) -> None:
    house = make_house(changes={"groups_in_token": False})
    _in_many_groups(house)

    issued = _log_in(house)

    assert issued is not None
    assert len(issued.access_token) < 1000
    identity = house.authenticator.authenticate_token(issued.access_token, ())
    assert identity is not None
    assert len(identity.user.groups) == 400


def test_the_largest_token_that_is_issued_is_one_that_reviews_take(house: House) -> None:
    groups = ",".join(f"{number:06}" for number in range(1160))
    house.table.rows["alice"] = f'{cheap_hash(PASSWORD)}:1001:"{groups}"'
    house.table.write()

    issued = _log_in(house)

    assert issued is not None
    assert 14_000 < len(issued.access_token) < MAX_TOKEN_BYTES


def test_the_extra_of_who_logged_in_is_what_their_directory_says_now(
    make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = make_house(changes={"facts_ttl": 60.0})
    said: dict[str, tuple[str, ...]] = {"example.com/contractor": ("false",)}
    check, lookup = house.table.authenticate_password, house.table.lookup
    for name, real in (("authenticate_password", check), ("lookup", lookup)):
        monkeypatch.setattr(house.table, name, lambda *of, real=real: _with_extra(real(*of), said))
    issued = _log_in(house)
    assert issued is not None

    said["example.com/contractor"] = ("true",)
    house.clock.advance(60)

    identity = house.authenticator.authenticate_token(issued.access_token, ())
    assert identity is not None
    assert identity.user.extra["example.com/contractor"] == ("true",)


def _with_extra(user: UserInfo | None, extra: dict[str, tuple[str, ...]]) -> UserInfo | None:
    return user and user._replace(extra=dict(extra))


def test_a_revoked_token_does_not_outlive_the_memory_of_that_after_a_shorter_ttl(
    make_house: MakeHouse,
) -> None:
    before = make_house(changes={"access_token_ttl": 3600.0})
    issued = _log_in(before)
    assert issued is not None
    house = make_house(clock=before.clock)  # the same, with the default of ten minutes
    (session,) = house.opened.sessions(house.clock())
    house.issuer.sessions.end(session)

    house.clock.advance(house.settings.key_overlap + 1)
    house.opened.purge(house.clock())
    house.issuer.revocations.refresh()

    assert house.authenticator.authenticate_token(issued.access_token, ()) is None


def test_a_session_that_was_revoked_by_another_worker_ends_with_the_next_look(
    make_house: MakeHouse,
) -> None:
    here, there = make_house(), make_house()
    issued = _log_in(here)
    assert issued is not None
    assert there.authenticator.authenticate_token(issued.access_token, ()) is not None
    session = here.issuer.session_of(issued.access_token)
    assert session is not None

    here.issuer.sessions.end(session)
    there.issuer.revocations.refresh()

    assert there.authenticator.authenticate_token(issued.access_token, ()) is None
    assert there.issuer.refresh(there.caller(), str(issued.refresh_token)) is None


def test_the_running_issuer_forgets_expired_sessions(
    make_house: MakeHouse,
) -> None:
    house = make_house()
    issued = _log_in(house)
    assert issued is not None
    session = house.issuer.session_of(issued.access_token)
    assert session is not None
    house.clock.advance(house.settings.session_length)
    house.issuer.revocations._poll_seconds = 0.01

    house.issuer.start()
    house.issuer.start()
    try:
        eventually(lambda: house.opened.find(session.id) is None, "the session is purged")
    finally:
        house.issuer.close()
