"""Refresh tokens: good once, and a theft ends the session."""

from __future__ import annotations

import functools
import multiprocessing
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from authsvc.errors import BackendError
from authsvc.issuer import refresh
from authsvc.issuer.issuer import Issued
from authsvc.store.protocol import Session
from tests.parts.issuer import PASSWORD, Clock, House, MakeHouse

REUSED = "authsvc_refresh_tokens_reused_total"

_FORK = multiprocessing.get_context("fork")


def _log_in(house: House) -> str:
    issued = house.issuer.log_in(house.caller(), "alice", PASSWORD, "kubernetes")
    assert issued is not None
    assert issued.refresh_token is not None
    return issued.refresh_token


def _refresh(house: House, token: str, client: str = "kubectl-authsvc") -> Issued | None:
    return house.issuer.refresh(house.caller(client=client), token)


def _successor(house: House, token: str) -> str:
    issued = _refresh(house, token)
    assert issued is not None
    assert issued.refresh_token is not None
    return issued.refresh_token


def _sessions(house: House) -> int:
    return len(house.opened.sessions(house.clock()))


def test_a_refresh_token_is_good_once_and_its_successor_after_it(house: House) -> None:
    first = _log_in(house)

    second = _successor(house, first)
    third = _successor(house, second)

    assert len({first, second, third}) == 3
    assert _sessions(house) == 1


def test_a_session_says_when_and_from_where_it_was_last_used(house: House) -> None:
    token = _log_in(house)
    opened_at = house.clock()
    house.clock.advance(60)

    house.issuer.refresh(house.caller("198.51.100.4"), token)

    (session,) = house.opened.sessions(house.clock())
    assert (session.created_at, session.used_at) == (opened_at, opened_at + 60)
    assert session.address == "198.51.100.4"


def test_a_refresh_token_that_is_used_again_later_ends_the_session(house: House) -> None:
    stolen = _log_in(house)
    mine = _successor(house, stolen)
    house.clock.advance(31)
    reused = REGISTRY.get_sample_value(REUSED) or 0

    assert _refresh(house, stolen) is None
    assert _refresh(house, mine) is None
    assert _sessions(house) == 0
    assert REGISTRY.get_sample_value(REUSED) == reused + 1


def test_the_log_says_whose_session_was_opened_and_whose_was_ended_by_a_reuse(
    house: House,
) -> None:
    with capture_logs() as logged:
        stolen = _log_in(house)
        (session,) = house.opened.sessions(house.clock())
        _successor(house, stolen)
        house.clock.advance(31)
        _refresh(house, stolen)

    whose = {
        "session": session.id,
        "user": "alice",
        "client": "kubectl-authsvc",
        "address": "192.0.2.7",
    }
    assert [(line["event"], line.items() >= whose.items()) for line in logged] == [
        ("session_opened", True),
        ("refresh_token_reused_session_ended", True),
    ]


def test_the_access_tokens_of_a_session_that_ended_so_are_refused(house: House) -> None:
    stolen = _log_in(house)
    issued = _refresh(house, stolen)
    assert issued is not None
    assert house.authenticator.authenticate_token(issued.access_token, ()) is not None
    house.clock.advance(31)

    _refresh(house, stolen)

    assert house.authenticator.authenticate_token(issued.access_token, ()) is None


def test_a_lost_answer_can_be_asked_for_again_and_is_the_same(house: House) -> None:
    first = _log_in(house)
    lost = _successor(house, first)
    house.clock.advance(29)

    again = _successor(house, first)

    assert again == lost
    assert _sessions(house) == 1


def test_a_thief_within_the_grace_gets_no_branch_of_their_own(house: House) -> None:
    stolen = _log_in(house)
    mine = _successor(house, stolen)
    theirs = _successor(house, stolen)
    house.clock.advance(60)

    newer = _successor(house, mine)
    house.clock.advance(60)

    assert _refresh(house, theirs) is None
    assert _refresh(house, newer) is None


def test_a_token_two_rotations_ago_is_reuse_even_within_the_grace(house: House) -> None:
    first = _log_in(house)
    _successor(house, _successor(house, first))

    assert _refresh(house, first) is None
    assert _sessions(house) == 0


def test_without_grace_the_second_use_ends_the_session_at_once(make_house: MakeHouse) -> None:
    house = make_house(changes={"refresh_grace": 0.0})
    first = _log_in(house)
    _successor(house, first)

    assert _refresh(house, first) is None
    assert _sessions(house) == 0


def test_of_many_threads_that_refresh_at_once_all_get_the_same_successor(house: House) -> None:
    first = _log_in(house)

    with ThreadPoolExecutor(8) as pool:
        successors = set(pool.map(lambda _: _successor(house, first), range(24)))

    assert len(successors) == 1
    assert _sessions(house) == 1


def _refresh_in_a_process(
    folder: Path, token: str, grace: float, together: Barrier, answers: multiprocessing.Queue[str]
) -> None:
    house = House(folder, clock=Clock(), changes={"refresh_grace": grace})
    together.wait()
    issued = _refresh(house, token)
    answers.put("" if issued is None else str(issued.refresh_token))
    house.close()


@pytest.mark.parametrize(("grace", "good"), [(30.0, 2), (0.0, 1)])
def test_of_two_processes_that_refresh_at_once_one_rotates(
    make_house: MakeHouse, tmp_path: Path, grace: float, good: int
) -> None:
    house = make_house(changes={"refresh_grace": grace})
    first = _log_in(house)
    together, answers = _FORK.Barrier(2), _FORK.Queue()
    processes = [
        _FORK.Process(
            target=_refresh_in_a_process, args=(tmp_path, first, grace, together, answers)
        )
        for _ in range(2)
    ]

    for process in processes:
        process.start()
    given_out = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()

    tokens = [token for token in given_out if token]
    assert len(tokens) == good
    assert len(set(tokens)) == 1
    assert _sessions(house) == (1 if grace else 0)


def test_a_token_of_another_client_is_refused_and_stays_good(house: House) -> None:
    token = _log_in(house)

    assert _refresh(house, token, client="another") is None
    assert _refresh(house, token) is not None


def test_whoever_knows_only_the_session_id_ends_nothing(house: House) -> None:
    token = _log_in(house)
    parsed = refresh.parse(token)
    assert parsed is not None

    forged = refresh.new(parsed.session_id).text()

    assert _refresh(house, forged) is None
    assert _refresh(house, token) is not None


def test_a_session_ends_when_it_is_idle_for_too_long(house: House) -> None:
    token = _log_in(house)
    house.clock.advance(house.settings.session_idle)

    assert _refresh(house, token) is None


def test_a_session_ends_after_its_length_however_much_it_is_used(house: House) -> None:
    token = _log_in(house)
    uses = 0
    while True:
        house.clock.advance(10 * 3600)
        issued = _refresh(house, token)
        if issued is None:
            break
        token = str(issued.refresh_token)
        uses += 1

    assert uses == 16  # 160 hours of 168


def test_the_last_access_token_ends_with_its_session(make_house: MakeHouse) -> None:
    house = make_house(changes={"session_length": 1000.0})
    token = _log_in(house)
    house.clock.advance(900)

    issued = _refresh(house, token)

    assert issued is not None
    assert issued.expires_in == 100


def test_a_user_who_is_gone_gets_no_token_and_the_session_ends(house: House) -> None:
    token = _log_in(house)
    house.table.remove("alice")

    assert _refresh(house, token) is None
    assert _sessions(house) == 0


def test_a_session_that_ends_while_it_is_refreshed_gives_no_token(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = _log_in(house)

    def ended(session: Session, _: bytes) -> bool:
        house.issuer.sessions.end(session)
        return False

    monkeypatch.setattr(house.opened, "replace", ended)

    assert _refresh(house, token) is None
    assert _sessions(house) == 0


def test_while_the_directory_is_down_nothing_is_rotated(house: House) -> None:
    token = _log_in(house)
    house.table.down = True
    with pytest.raises(BackendError):
        _refresh(house, token)
    house.clock.advance(3600)
    house.table.down = False

    assert _refresh(house, token) is not None


def test_while_the_store_is_down_nothing_is_lost(house: House, tmp_path: Path) -> None:
    token = _log_in(house)
    hog = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    hog.execute("BEGIN EXCLUSIVE")
    house.opened._settings = house.opened._settings.__class__(  # type: ignore[attr-defined]  # of SQLite's store
        tmp_path / "store.db", timeout=0.05
    )
    house.opened.close()
    with pytest.raises(BackendError):
        _refresh(house, token)
    hog.close()

    assert _refresh(house, token) is not None


def test_a_refresh_has_the_groups_of_now(house: House) -> None:
    token = _log_in(house)
    house.table.rows["alice"] = house.table.rows["alice"].replace("ops", "night-shift")
    house.table.write()

    issued = _refresh(house, token)

    assert issued is not None
    verified = house.issuer.tokens.verify(issued.access_token)
    assert verified is not None
    assert verified.user.groups == ("night-shift", "team-a")


def test_the_store_holds_no_token(house: House, tmp_path: Path) -> None:
    token = _successor(house, _log_in(house))
    parsed = refresh.parse(token)
    assert parsed is not None
    house.close()

    kept = b"".join(file.read_bytes() for file in tmp_path.glob("store.db*"))

    assert parsed.session_id.encode() in kept
    for secret in (parsed.secret, parsed.family, token.rpartition(".")[2].encode()):
        assert secret not in kept


@pytest.mark.parametrize(
    "text",
    ["", "authsvc_rt_", "authsvc_rt_a.b.c", "authsvc_rt_a.b", "x" * 200, "authsvc_rt_é.AA.AA"],
)
def test_what_is_no_refresh_token_is_none(house: House, text: str) -> None:
    assert refresh.parse(text) is None
    assert _refresh(house, text) is None


@given(st.text())
def test_no_text_makes_the_parser_fail(text: str) -> None:
    for candidate in (text, "authsvc_rt_" + text):
        parsed = refresh.parse(candidate)
        assert parsed is None or len(parsed.secret) == 32


def test_a_refresh_token_is_not_printed_by_accident() -> None:
    token = refresh.new("s1")

    assert repr(token) == "RefreshToken('s1')"
    assert refresh.parse(token.text()) == token


def test_a_successor_needs_both_the_token_and_the_salt() -> None:
    token = refresh.new("s1")

    make = functools.partial(token.successor, b"salt")

    assert make() == make()
    assert make() != token.successor(b"pepper")
    assert make().secret != refresh.new("s1").successor(b"salt").secret
