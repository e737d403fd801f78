"""The store of one machine."""

from __future__ import annotations

import functools
import multiprocessing
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.errors import BackendError
from authsvc.store.sqlite import SQLiteSettings, SQLiteStore
from tests.contract.store import NOW, OpenStore, StoreContract, session

_FORK = multiprocessing.get_context("fork")


@pytest.fixture
def open_store(tmp_path: Path) -> OpenStore:
    return functools.partial(SQLiteStore, SQLiteSettings(tmp_path / "store.db", timeout=10))


@pytest.fixture
def store(open_store: OpenStore) -> Iterator[SQLiteStore]:
    store = open_store()
    assert isinstance(store, SQLiteStore)
    yield store
    store.close()


class TestSQLiteStore(StoreContract):
    pass


def _create(open_store: OpenStore, name: str, answers: multiprocessing.Queue[str]) -> None:
    store = open_store()
    store.create(session(name))
    store.close()
    answers.put(name)


def test_many_processes_may_make_the_file_at_once(open_store: OpenStore) -> None:
    answers = _FORK.Queue()
    names = [f"s{number}" for number in range(8)]
    processes = [_FORK.Process(target=_create, args=(open_store, name, answers)) for name in names]

    for process in processes:
        process.start()
    made = {answers.get(timeout=30) for _ in processes}
    for process in processes:
        process.join()

    store = open_store()
    assert {each.id for each in store.sessions(NOW)} == made == set(names)
    store.close()


def _create_after_fork(store: SQLiteStore, answers: multiprocessing.Queue[bool]) -> None:
    store.create(session("child"))
    store.close()
    answers.put(store.find("parent") is not None)
    store.close()


def test_a_store_that_was_used_before_a_fork_works_in_parent_and_child(
    store: SQLiteStore,
) -> None:
    store.create(session("parent"))
    answers = _FORK.Queue()
    process = _FORK.Process(target=_create_after_fork, args=(store, answers))

    process.start()

    assert answers.get(timeout=30)
    process.join()
    store.create(session("later"))
    assert {each.id for each in store.sessions(NOW)} == {"parent", "child", "later"}


def test_connections_of_ended_threads_are_given_back(store: SQLiteStore) -> None:
    for _ in range(5):
        thread = threading.Thread(target=store.revoked, args=(NOW,))
        thread.start()
        thread.join()

    store.revoked(NOW)

    assert len(store._connections) <= 2


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_only_the_owner_can_read_it(store: SQLiteStore, tmp_path: Path, suffix: str) -> None:
    store.create(session())

    mode = (tmp_path / f"store.db{suffix}").stat().st_mode

    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_root_makes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 65532, 65532)
    store = SQLiteStore(SQLiteSettings(tmp_path / "store.db"))

    store.create(session())

    owners = {(file.stat().st_uid, file.stat().st_gid) for file in tmp_path.glob("store.db*")}
    assert owners == {(65532, 65532)}
    store.close()


@pytest.mark.parametrize("suffix", ["", "-wal", "-journal"])
@pytest.mark.parametrize("mode", [0o666, 0o602])
def test_a_file_that_others_may_write_is_refused(tmp_path: Path, suffix: str, mode: int) -> None:
    store = SQLiteStore(SQLiteSettings(tmp_path / "store.db"))
    store.create(session())
    store.close()
    file = tmp_path / f"store.db{suffix}"
    file.touch()
    file.chmod(mode)

    with pytest.raises(BackendError, match=rf"others may write {file.name}: mode {mode:04o}"):
        store.find("s1")

    file.chmod(0o600)
    assert store.find("s1") == session()
    store.close()


def test_a_file_is_for_the_group_of_its_process_but_for_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As the kubelet makes what is in a volume with an fsGroup.
    store = SQLiteStore(SQLiteSettings(tmp_path / "store.db"))
    store.create(session())
    store.close()
    (tmp_path / "store.db").chmod(0o660)

    assert store.find("s1") == session()
    store.close()
    own = (tmp_path / "store.db").stat()
    monkeypatch.setattr(os, "geteuid", lambda: own.st_uid or 65532)
    monkeypatch.setattr(os, "getegid", lambda: own.st_gid + 1)
    with pytest.raises(BackendError, match="others may write"):
        store.find("s1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SQLiteStore(SQLiteSettings(tmp_path / "store.db"))
    store.create(session())
    store.close()
    os.chown(tmp_path / "store.db", 65533, -1)

    with pytest.raises(BackendError, match=r"store\.db belongs to user 65533, expected 0 or root"):
        store.find("s1")

    os.chown(tmp_path, 65533, -1)  # root, beside a service that is that user
    assert store.find("s1") == session()
    store.close()
    monkeypatch.setattr(os, "geteuid", lambda: 65532)
    with pytest.raises(BackendError, match="expected 65532 or root"):
        store.find("s1")


def test_a_store_that_is_locked_for_too_long_fails_and_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    store = SQLiteStore(SQLiteSettings(file, timeout=0.05))
    store.create(session())
    hog = sqlite3.connect(file, isolation_level=None)
    hog.execute("BEGIN IMMEDIATE")

    with pytest.raises(BackendError, match="locked"):
        store.revoke("s1", NOW)
    found = store.find("s1")
    hog.close()

    assert found == session()
    assert store.revoke("s1", NOW) == session()
    store.close()


def test_a_folder_that_is_missing_is_a_failure_that_names_the_file(tmp_path: Path) -> None:
    store = SQLiteStore(SQLiteSettings(tmp_path / "missing" / "store.db"))

    with pytest.raises(BackendError, match=r"missing/store\.db: No such file"):
        store.revoked(NOW)


def test_a_file_of_a_later_release_is_refused(tmp_path: Path) -> None:
    later = sqlite3.connect(tmp_path / "store.db")
    later.execute("PRAGMA user_version = 99")
    later.close()
    store = SQLiteStore(SQLiteSettings(tmp_path / "store.db"))

    with pytest.raises(BackendError, match="schema version 99"):
        store.revoked(NOW)


def test_a_file_that_is_no_database_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"not a database" * 100)
    store = SQLiteStore(SQLiteSettings(tmp_path / "store.db"))

    with pytest.raises(BackendError, match="not a database"):
        store.revoked(NOW)
