"""The commands round logins: keys, passwords, sessions."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from authsvc.authn.passwords import read
from authsvc.cli import group
from authsvc.errors import InvalidConfigurationError
from authsvc.store.sqlite import SQLiteSettings, SQLiteStore
from tests.cli.test_main import authsvc
from tests.contract.store import session
from tests.parts.issuer import cheap_hash

CONFIG = """
apiVersion: config.authsvc.io/v1alpha1
kind: AuthsvcConfiguration
store: {type: SQLite, sqlite: {file: store.db}}
issuer: {url: 'https://authsvc.example.org', keys: keys, passwords: [people]}
authentication:
  authenticators:
  - {name: issued, type: Issued}
  - {name: people, type: StaticPasswords, staticPasswords: {file: passwords}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "passwords").write_text(f"alice:{cheap_hash('x')}\n")
    file = tmp_path / "authsvc.yaml"
    file.write_text(CONFIG)
    return file


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    """Return a store in which alice is logged in on two devices, and somebody odd on one."""
    store = SQLiteStore(SQLiteSettings(tmp_path / "store.db"))
    now = time.time()
    for age, name, user in [(300, "s1", "alice"), (200, "s2", "alice"), (100, "s3", "b\x1b[2Jb")]:
        store.create(session(name, user, created_at=now - age, expires_at=now + 1000))
    yield store
    store.close()


def run(config: Path, *arguments: str, stdin: str = "") -> Result:
    environment = {"AUTHSVC_CONFIG": str(config)}
    return CliRunner().invoke(group, arguments, input=stdin, env=environment)


def test_keys_where_a_file_is_are_an_error_in_a_line(config: Path) -> None:
    config.with_name("keys").write_text("")

    made = authsvc("keys", "rotate", "--config", str(config))

    assert (made.returncode, made.stdout) == (1, "")
    assert made.stderr == f"error: {config.with_name('keys')}: not a directory\n"


def test_the_first_key_signs_and_the_next_waits(config: Path) -> None:
    first = run(config, "keys", "rotate")
    second = run(config, "keys", "rotate", "--algorithm", "EdDSA", "--activate-in", "1h")
    listed = run(config, "keys", "list")

    assert (first.exit_code, second.exit_code, listed.exit_code) == (0, 0, 0), second.output
    heads, signing, coming = listed.output.splitlines()
    assert heads.split() == ["KEY", "ALGORITHM", "STATE", "SIGNS", "FROM", "FILE"]
    assert signing.split()[1:3] == ["ES256", "signing"]
    assert coming.split()[1:3] == ["EdDSA", "next"]


def test_a_time_that_is_none_is_refused(config: Path) -> None:
    refused = run(config, "keys", "rotate", "--activate-in", "soon")

    assert refused.exit_code == 2
    assert "such as 90s, 15m, 12h or 7d" in refused.output


def test_listing_keys_where_there_are_none_says_how_to_make_one(config: Path) -> None:
    (config.parent / "keys").mkdir()

    failed = run(config, "keys", "list")

    assert isinstance(failed.exception, InvalidConfigurationError)
    assert "authsvc keys rotate" in str(failed.exception)


def test_a_configuration_without_an_issuer_is_told_so(config: Path) -> None:
    config.write_text("apiVersion: config.authsvc.io/v1alpha1\nkind: AuthsvcConfiguration\n")

    for command in (["keys", "list"], ["keys", "rotate"], ["session", "list"]):
        assert "configures no issuer" in str(run(config, *command).exception)


def test_a_password_on_stdin_becomes_a_hash_for_the_table(config: Path) -> None:
    made = run(config, "password", "hash", stdin="s€cret\n")

    table = config.parent / "passwords"
    table.write_text(f"alice:{made.output.strip()}:1:ops\n")
    assert read(table)["alice"].hash.matches("s€cret")
    assert "s€cret" not in made.output


def test_no_password_is_refused(config: Path) -> None:
    assert run(config, "password", "hash", stdin="\n").exit_code == 2


def test_sessions_are_listed_with_their_devices(config: Path, store: SQLiteStore) -> None:
    del store
    listed = run(config, "session", "list")

    lines = listed.output.splitlines()
    assert lines[0].split()[:4] == ["SESSION", "USER", "CLIENT", "ADDRESS"]
    assert [line.split()[0] for line in lines[1:]] == ["s1", "s2", "s3"]
    assert lines[1].split()[1:4] == ["alice", "kubectl-authsvc", "192.0.2.7"]
    assert "\x1b" not in listed.output


def test_sessions_of_one_user_are_listed_for_programs(config: Path, store: SQLiteStore) -> None:
    del store
    listed = json.loads(run(config, "session", "list", "--user", "alice", "-o", "json").output)

    assert [each["id"] for each in listed] == ["s1", "s2"]
    assert set(listed[0]) == {
        *("id", "user", "directory", "client", "address", "audience"),
        *("created", "lastUsed", "ends"),
    }


def test_sessions_are_ended_by_id(config: Path, store: SQLiteStore) -> None:
    ended = run(config, "session", "revoke", "s1", "nothing")

    assert ended.exit_code == 1
    assert "s1: ended, of alice from 192.0.2.7" in ended.output
    assert "error: nothing: no such session" in ended.output
    assert [each.id for each in store.sessions(time.time())] == ["s2", "s3"]
    assert store.revoked(time.time()) == {"s1"}


def test_an_odd_name_moves_no_terminal_when_its_session_is_ended(
    config: Path, store: SQLiteStore
) -> None:
    store.create(session("s4", "a\nb\u202e", expires_at=time.time() + 1000))

    assert run(config, "session", "revoke", "s4").output.startswith("s4: ended, of a\ufffdb\ufffd ")


def test_everything_of_a_user_before_now_is_ended(config: Path, store: SQLiteStore) -> None:
    ended = run(config, "session", "revoke", "--user", "alice")

    assert ended.exit_code == 0
    assert store.revoked(time.time()) == {"s1", "s2"}
    assert run(config, "session", "revoke", "--user", "alice").exit_code == 1


def test_everything_of_a_user_before_a_time_is_ended(config: Path, store: SQLiteStore) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 250))

    ended = run(config, "session", "revoke", "--user", "alice", "--before", moment)

    assert ended.exit_code == 0
    assert store.revoked(time.time()) == {"s1"}


@pytest.mark.parametrize(
    "arguments", [[], ["s1", "--user", "alice"], ["s1", "--before", "2026-01-01T00:00:00Z"]]
)
def test_what_to_end_has_to_be_said_in_one_way(config: Path, arguments: list[str]) -> None:
    assert run(config, "session", "revoke", *arguments).exit_code == 2
