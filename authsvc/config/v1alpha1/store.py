"""``store``: where sessions, revocations and failed attempts are kept."""

from __future__ import annotations

import contextlib
import ipaddress
import sqlite3
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

import msgspec

from authsvc.decoding.structs import Duration, Place, Wire, seconds
from authsvc.store.redis import RedisSettings
from authsvc.store.sqlite import SQLiteSettings

StoreSettings = SQLiteSettings | RedisSettings


class SQLite(Wire, frozen=True):
    """A file of one machine, shared by its workers."""

    file: str
    timeout: Duration = "5s"

    def to_settings(self, at: Place) -> SQLiteSettings:
        """Convert to the internal model."""
        file = at.file(self.file)
        if not file.parent.is_dir():
            at.field("file").error(f"{file.parent}: no such folder")
        elif file.exists():
            self._check(file, at.field("file"))
        return SQLiteSettings(file, seconds(self.timeout))

    def _check(self, file: Path, at: Place) -> None:
        if not file.is_file():
            at.error(f"{file}: not a file")
            return
        try:
            # By SQLite alone: whoever else opens and closes a database takes this
            # process's locks on it away (sqlite.org/howtocorrupt.html, 2.2).
            # Immutable: looking makes neither a log nor a lock.
            with contextlib.closing(
                sqlite3.connect(f"{file.absolute().as_uri()}?immutable=1", uri=True)
            ) as database:
                database.execute("PRAGMA schema_version")
        except sqlite3.Error as error:
            at.error(f"{file}: {error}")


class Redis(Wire, frozen=True):
    """A Redis that several machines share; ``insecure`` allows one without TLS elsewhere."""

    url: str
    username: str = ""
    password_file: str = ""
    ca_file: str = msgspec.field(name="caFile", default="")
    cert_file: str = ""
    key_file: str = ""
    timeout: Duration = "2s"
    insecure: bool = False

    def to_settings(self, at: Place) -> RedisSettings:
        """Convert to the internal model."""
        self._check(at)
        files = {
            name: at.field(field).existing_file(value) if value else None
            for name, field, value in (
                ("password_file", "passwordFile", self.password_file),
                ("ca_file", "caFile", self.ca_file),
                ("cert_file", "certFile", self.cert_file),
                ("key_file", "keyFile", self.key_file),
            )
        }
        return RedisSettings(
            self.url, self.username or None, **files, timeout=seconds(self.timeout)
        )

    def _check(self, at: Place) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"redis", "rediss", "unix"}:
            at.field("url").error("expected rediss://host:port, redis://host:port or unix:///path")
        elif parts.username is not None or parts.password is not None or parts.query:
            at.field("url").error("holds more than a place: name and password have own fields")
        elif parts.scheme == "redis" and not self.insecure and not _is_here(parts):
            at.field("url").error("must be rediss:// (TLS) to another machine, or insecure: true")
        if self.username and not self.password_file:
            at.field("passwordFile").error("required with a username")
        if bool(self.cert_file) != bool(self.key_file):
            at.field("keyFile").error("certFile and keyFile belong together")
        if parts.scheme != "rediss" and (self.ca_file or self.cert_file):
            at.field("url").error("must be rediss:// for caFile and certFile to mean something")


def _is_here(parts: SplitResult) -> bool:
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return parts.hostname == "localhost"


class Store(Wire, frozen=True):
    """An envelope, and under the field of its type what that type needs."""

    type: Literal["SQLite", "Redis"]
    sqlite: SQLite | None = None
    redis: Redis | None = None

    def to_settings(self, at: Place) -> StoreSettings | None:
        """Convert to the internal model; None where an error was recorded."""
        given = {"SQLite": self.sqlite, "Redis": self.redis}
        for type_, settings in given.items():
            if settings is not None and type_ != self.type:
                at.field(type_.lower()).error(f"does not belong to type {self.type}")
        chosen = given[self.type]
        if chosen is None:
            at.field(self.type.lower()).error(f"required for type {self.type}")
            return None
        return chosen.to_settings(at.field(self.type.lower()))
