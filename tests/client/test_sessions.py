"""The state folder: what is kept in it, and what is not trusted."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from authsvc.client import sessions
from authsvc.client.errors import ClientError
from authsvc.client.storage import Store
from tests.client.conftest import Person

ISSUER = "--issuer=https://issuer.test"
KEY = {"cluster": "", "issuer": "https://issuer.test"}


@pytest.fixture
def session_file(alice: Person) -> Path:
    now = time.time()
    return alice.keep((ISSUER,), obtained_at=now, good_until=now + 600)


def _error(alice: Person) -> str:
    done = alice.get_token(ISSUER)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda _: b"",
        lambda _: b"[]",
        lambda _: b"\xff\xfe",
        lambda content: content.replace(b'"kept-token"', b"17"),
        lambda content: content.replace(b'"obtained_at"', b'"obtained"'),
    ],
)
def test_a_damaged_file_is_an_error_and_left_as_it_is(
    alice: Person, session_file: Path, damage: object
) -> None:
    assert callable(damage)
    session_file.write_bytes(damage(session_file.read_bytes()))
    before = session_file.read_bytes()

    error = _error(alice)

    assert "is damaged: run `kubectl authsvc login` to replace it" in error
    assert session_file.read_bytes() == before


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_file_open_to_others_is_not_used(alice: Person, session_file: Path, mode: int) -> None:
    session_file.chmod(mode)

    assert f"is open to others (mode {mode:04o})" in _error(alice)
    assert session_file.exists()


def test_a_link_is_not_followed(alice: Person, session_file: Path) -> None:
    session_file.rename(session_file.with_suffix(".elsewhere"))
    session_file.symlink_to(session_file.with_suffix(".elsewhere"))

    assert f"cannot read {session_file}" in _error(alice)


def test_a_file_of_another_user_is_not_used(
    session_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = session_file.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)

    with pytest.raises(ClientError, match=rf"belongs to another user \(uid {owner}\)"):
        sessions.load(str(session_file), KEY)


def test_a_folder_of_another_user_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(KEY, {"XDG_STATE_HOME": str(tmp_path)}, use_keyring=False)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)

    with pytest.raises(ClientError, match="belongs to another user: set XDG_STATE_HOME"):
        store.prepare()


def test_a_folder_that_others_can_write_to_is_not_written_to(alice: Person) -> None:
    alice.state.mkdir(parents=True)
    alice.state.chmod(0o777)

    assert f"run `chmod 700 {alice.state}`" in _error(alice)


def test_without_a_home_there_is_an_error_that_says_so(alice: Person) -> None:
    done = alice.get_token(ISSUER, HOME="")

    assert done.returncode == 1
    assert "neither HOME nor XDG_STATE_HOME is set: set HOME" in done.stderr


def test_xdg_state_home_is_where_sessions_are_unless_it_is_relative() -> None:
    both = {"HOME": "/home/alice", "XDG_STATE_HOME": "/state"}

    assert sessions.folder(both) == "/state/kubectl-authsvc"
    both["XDG_STATE_HOME"] = "state"
    assert sessions.folder(both) == "/home/alice/.local/state/kubectl-authsvc"


def test_a_token_is_good_until_its_time_and_not_from_the_future() -> None:
    session: sessions.Session = {
        "key": KEY,
        "token": "t",
        "kind": "access_token",
        "obtained_at": 1000.0,
        "good_until": 1600.0,
        "subject": "",
        "username": "",
        "token_endpoint": "",
    }

    assert sessions.is_good(session, 1000.0)
    assert sessions.is_good(session, 1599.9)
    assert not sessions.is_good(session, 1600.0)
    assert sessions.is_good(session, 990.0), "a clock that was set back a little"
    assert not sessions.is_good(session, 1000.0 - 3600), "a clock that was an hour ahead"


def _kept(store: Store) -> sessions.Session:
    return {
        "key": store.key,
        "token": "t",
        "kind": "access_token",
        "obtained_at": 1.0,
        "good_until": 2.0,
        "subject": "s",
        "username": "u",
        "token_endpoint": "https://issuer.test/token",
        "refresh_token": "r",
    }


def test_what_is_saved_is_private_and_whole(tmp_path: Path) -> None:
    store = Store(KEY, {"XDG_STATE_HOME": str(tmp_path)}, use_keyring=False)
    store.prepare()

    store.save(_kept(store))

    assert store.load() == _kept(store)
    assert store.file.stat().st_mode & 0o777 == 0o600
    assert store.file.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in store.file.parent.iterdir()] == [store.file.name]


class Ring:
    """A keyring that takes what it is given while it is open."""

    def __init__(self) -> None:
        self.open = True
        self.kept: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        return self.kept.get(name)

    def put(self, name: str, secret: str) -> bool:
        if self.open:
            self.kept[name] = secret
        return self.open

    def remove(self, name: str) -> None:
        self.kept.pop(name, None)


def test_what_a_keyring_no_longer_takes_is_in_the_file_alone(tmp_path: Path) -> None:
    ring = Ring()
    store = Store(KEY, {"XDG_STATE_HOME": str(tmp_path)}, use_keyring=False)
    store._keyring = ring
    store.prepare()
    session = _kept(store)

    store.save(session)
    assert ring.kept == {store.file.stem: "r"}
    assert "refresh_token" not in json.loads(store.file.read_text())
    assert store.load() == {**_kept(store), "refresh_token_in": "keyring"}
    assert session == _kept(store)
    ring.open = False
    store.save({**session, "refresh_token": "newer"})

    assert ring.kept == {}
    assert store.load() == {**_kept(store), "refresh_token": "newer"}
    store.remove()
    store.remove()
    assert store.load() is None


def test_a_place_where_no_folder_can_be_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = Store(KEY, {"XDG_STATE_HOME": str(tmp_path / "file")}, use_keyring=False)

    with pytest.raises(ClientError, match=r"cannot make the folder .*: Not a directory"):
        store.prepare()


def test_a_session_that_cannot_be_removed_is_an_error_that_says_so(tmp_path: Path) -> None:
    store = Store(KEY, {"XDG_STATE_HOME": str(tmp_path)}, use_keyring=False)
    store.file.mkdir(parents=True)

    with pytest.raises(ClientError, match="cannot remove "):
        store.remove()


def test_a_save_that_fails_leaves_the_session_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(KEY, {"XDG_STATE_HOME": str(tmp_path)}, use_keyring=False)
    store.prepare()
    store.save(_kept(store))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ClientError, match=r"cannot write .*: No space left on device"):
        store.save({**_kept(store), "token": "new"})

    assert json.loads(store.file.read_text())["token"] == "t"
    assert [file.name for file in store.file.parent.iterdir()] == [store.file.name]
