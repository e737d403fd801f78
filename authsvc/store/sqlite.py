"""The store of one machine: an SQLite file in WAL mode, shared by the workers.

Each thread has a connection of its own, opened after the fork (a connection
must not cross one). Every change is one short transaction that takes the write
lock at once, so nobody reads what another is about to change; whoever has to
wait does so for ``timeout`` at most.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from authsvc.attempts import Curve
from authsvc.errors import BackendError
from authsvc.files import give_to_folders_owner
from authsvc.store.protocol import RefreshState, Session

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, username TEXT NOT NULL, directory TEXT NOT NULL, client TEXT NOT NULL,
    address TEXT NOT NULL, audience TEXT NOT NULL, created_at REAL NOT NULL,
    used_at REAL NOT NULL, expires_at REAL NOT NULL, ends_at REAL NOT NULL,
    family BLOB NOT NULL, current BLOB NOT NULL, previous BLOB NOT NULL, salt BLOB NOT NULL,
    rotated_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (username);
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE TABLE revoked (id TEXT PRIMARY KEY, until REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE attempts (
    key TEXT PRIMARY KEY, failures INTEGER NOT NULL, last REAL NOT NULL, forget_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""
# A row is a session with its last field, the refresh state, laid out flat.
_OWN_FIELDS = Session._fields[:-1]
_FIELDS = (*_OWN_FIELDS, *RefreshState._fields)
_COLUMNS = ", ".join(_FIELDS)


@dataclass(frozen=True, slots=True)
class SQLiteSettings:
    """``file`` is made, readable by its owner only; ``timeout`` in seconds bounds each wait.

    One that is there is refused where it is another user's, or others may write it.
    """

    file: Path
    timeout: float = 5.0


class SQLiteStore:
    """See authsvc.store.protocol.Store."""

    def __init__(self, settings: SQLiteSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._connections: dict[threading.Thread, sqlite3.Connection] = {}
        self._inherited: list[sqlite3.Connection] = []

    def create(self, session: Session) -> None:
        """See Store."""
        marks = ", ".join("?" * len(_FIELDS))
        row = (*session[:-1], *session.refresh)
        with self._transaction() as db:
            db.execute(f"INSERT INTO sessions ({_COLUMNS}) VALUES ({marks})", row)  # noqa: S608  constants

    def find(self, session_id: str) -> Session | None:
        """See Store."""
        rows = self._read(f"SELECT {_COLUMNS} FROM sessions WHERE id = ?", [session_id])  # noqa: S608
        return rows[0] if rows else None

    def replace(self, session: Session, current: bytes) -> bool:
        """See Store."""
        state = session.refresh
        with self._transaction() as db:
            changed = db.execute(
                "UPDATE sessions SET address = ?, used_at = ?, expires_at = ?, current = ?,"
                " previous = ?, salt = ?, rotated_at = ? WHERE id = ? AND current = ?",
                [
                    *(session.address, session.used_at, session.expires_at),
                    *(state.current, state.previous, state.salt, state.rotated_at),
                    *(session.id, current),
                ],
            ).rowcount
        return changed == 1

    def sessions(self, now: float, username: str | None = None) -> list[Session]:
        """See Store."""
        return self._read(
            f"SELECT {_COLUMNS} FROM sessions WHERE expires_at > ? AND (? IS NULL OR username = ?)"  # noqa: S608
            " ORDER BY created_at, id",
            [now, username, username],
        )

    def revoke(self, session_id: str, until: float) -> Session | None:
        """See Store."""
        ended = self._end("id = ?", [session_id], until)
        return ended[0] if ended else None

    def revoke_user(self, username: str, before: float, until: float) -> list[Session]:
        """See Store."""
        return self._end("username = ? AND created_at < ?", [username, before], until)

    def revoked(self, now: float) -> frozenset[str]:
        """See Store."""
        with self._connection() as db:
            rows = db.execute("SELECT id FROM revoked WHERE until > ?", [now]).fetchall()
        return frozenset(id_ for (id_,) in rows)

    def admit(self, key: str, now: float, curve: Curve) -> float:
        """See Store."""
        with self._transaction() as db:
            row = db.execute(
                "SELECT failures, last FROM attempts WHERE key = ? AND forget_at > ?", [key, now]
            ).fetchone()
            failures, last = row or (0, now)
            wait = last + curve.wait_after(failures) - now if failures else 0.0
            if wait > 0:
                return float(wait)
            db.execute(
                "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?)",
                [key, failures + 1, now, now + curve.forget_after],
            )
        return 0.0

    def forgive(self, key: str) -> None:
        """See Store."""
        with self._transaction() as db:
            db.execute("DELETE FROM attempts WHERE key = ?", [key])

    def withdraw(self, key: str) -> None:
        """See Store."""
        with self._transaction() as db:
            db.execute("UPDATE attempts SET failures = failures - 1 WHERE key = ?", [key])
            db.execute("DELETE FROM attempts WHERE key = ? AND failures < 1", [key])

    def purge(self, now: float) -> int:
        """See Store."""
        with self._transaction() as db:
            db.execute("DELETE FROM revoked WHERE until <= ?", [now])
            db.execute("DELETE FROM attempts WHERE forget_at <= ?", [now])
            return db.execute("DELETE FROM sessions WHERE expires_at <= ?", [now]).rowcount

    def start(self) -> None:
        """See Store."""

    def close(self) -> None:
        """See Store."""
        if self._pid == os.getpid():
            with self._lock:
                while self._connections:
                    self._connections.popitem()[1].close()

    def _end(self, where: str, arguments: Sequence[object], until: float) -> list[Session]:
        with self._transaction() as db:
            rows = db.execute(
                f"DELETE FROM sessions WHERE {where} RETURNING {_COLUMNS}",  # noqa: S608  constants
                arguments,
            ).fetchall()
            db.executemany(
                "INSERT OR REPLACE INTO revoked VALUES (?, ?)", [(row[0], until) for row in rows]
            )
        return [_session(row) for row in rows]

    def _read(self, query: str, arguments: Sequence[object]) -> list[Session]:
        with self._connection() as db:
            return [_session(row) for row in db.execute(query, arguments).fetchall()]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._mine()
        except sqlite3.Error as error:
            raise BackendError(f"store {self._settings.file}: {error}") from error
        except OSError as error:
            raise BackendError(f"store {self._settings.file}: {error.strerror}") from error

    def _mine(self) -> sqlite3.Connection:
        if self._pid != os.getpid():
            # Forked. Connections of the parent are neither used here nor closed,
            # which would take the parent's write-ahead log away: they are kept.
            self._lock = threading.Lock()
            self._inherited += self._connections.values()
            self._pid, self._connections = os.getpid(), {}
        thread = threading.current_thread()
        connection = self._connections.get(thread)
        if connection is None:
            with self._lock:
                for ended in [each for each in self._connections if not each.is_alive()]:
                    self._connections.pop(ended).close()
                connection = self._connections[thread] = _open(self._settings)
        return connection


def _open(settings: SQLiteSettings) -> sqlite3.Connection:
    # Made here and not by SQLite, which would let the umask decide who may read
    # it; the -wal and -shm files take their mode from this one. Only a new file
    # is ever opened so: closing a descriptor of a file drops this process's
    # POSIX locks on it, those of SQLite among them.
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(settings.file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            give_to_folders_owner(settings.file, descriptor)
        finally:
            os.close(descriptor)
    for suffix in ("", "-wal", "-journal", "-shm"):  # SQLite takes changes from each
        _check_writers(settings.file.with_name(settings.file.name + suffix))
    connection = sqlite3.connect(
        settings.file, timeout=settings.timeout, isolation_level=None, check_same_thread=False
    )
    try:
        _enter_wal(connection, time.monotonic() + settings.timeout)
        # FULL: a rotated refresh token that a power cut took back would look
        # like a stolen one the next time it is used.
        connection.execute("PRAGMA synchronous = FULL")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_writers(file: Path) -> None:
    # Who can write it can log in as anybody. By name, as no descriptor may be closed.
    try:
        status, folder = file.stat(), file.parent.stat()
    except FileNotFoundError:
        return
    user, group = os.geteuid(), os.getegid()
    if user == 0:  # an administrator, beside a service that is somebody else
        user, group = folder.st_uid, folder.st_gid
    if status.st_uid not in {user, 0}:
        why = f"{file.name} belongs to user {status.st_uid}, expected {user} or root"
        raise PermissionError(errno.EPERM, why)
    # All of a volume with an fsGroup is for that group to write; it is the process's own.
    if status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid != group):
        mode = stat.S_IMODE(status.st_mode)
        why = f"others may write {file.name}: mode {mode:04o}, expected 0600"
        raise PermissionError(errno.EPERM, why)


def _enter_wal(connection: sqlite3.Connection, deadline: float) -> None:
    # SQLite does not wait for a lock here by itself, and the workers all come at once.
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _migrate(connection: sqlite3.Connection) -> None:
    def version() -> int:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])

    if version() == _SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    if version() == 0:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    elif version() != _SCHEMA_VERSION:
        raise sqlite3.DatabaseError(
            f"has schema version {version()}, this release knows {_SCHEMA_VERSION}"
        )
    connection.execute("COMMIT")


def _session(row: Sequence[Any]) -> Session:
    own, refresh = row[: len(_OWN_FIELDS)], row[len(_OWN_FIELDS) :]
    return Session._make([*own, RefreshState._make(refresh)])
