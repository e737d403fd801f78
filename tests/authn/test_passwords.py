"""Passwords in a file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from authsvc.attempts import Curve, MemoryAttemptCounter, TooManyAttemptsError
from authsvc.authn.passwords import (
    StaticPasswordAuthenticator,
    hash_password,
    read,
)
from authsvc.authn.passwords_settings import StaticPasswordsSettings
from authsvc.errors import InvalidPolicyError
from authsvc.interfaces import UserInfo
from tests.parts.issuer import cheap_hash

HASH = cheap_hash("canary:a b")


@pytest.fixture
def passwords(tmp_path: Path) -> StaticPasswordAuthenticator:
    file = tmp_path / "passwords"
    file.write_text(f'# people\n\nalice:{HASH}:7:"team-a, ops"\n"o:x":{HASH}\n')
    counter = MemoryAttemptCounter(Curve(free=2), clock=lambda: 0.0)
    authenticator = StaticPasswordAuthenticator(StaticPasswordsSettings(file), counter)
    authenticator.table.load()
    return authenticator


def _errors(file: Path, text: str) -> str:
    file.write_text(text)
    with pytest.raises(InvalidPolicyError) as refused:
        read(file)
    return str(refused.value)


def test_the_right_password_is_its_user(passwords: StaticPasswordAuthenticator) -> None:
    alice = UserInfo("alice", "7", ("ops", "team-a"))

    assert passwords.authenticate_password("alice", "canary:a b") == alice
    assert passwords.authenticate_password("o:x", "canary:a b") == UserInfo("o:x")
    assert passwords.lookup("alice") == alice


@pytest.mark.parametrize(
    ("username", "password"),
    [("alice", "canary"), ("alice", ""), ("Alice", "canary:a b"), ("bob", "x"), ("", "\ud800")],
)
def test_anything_else_is_nobody(
    passwords: StaticPasswordAuthenticator, username: str, password: str
) -> None:
    assert passwords.authenticate_password(username, password) is None


def test_guessing_is_slowed_for_known_and_unknown_users_alike(
    passwords: StaticPasswordAuthenticator,
) -> None:
    for username in ("alice", "nobody"):
        for _ in range(2):
            passwords.authenticate_password(username, "x")
        with pytest.raises(TooManyAttemptsError):
            passwords.authenticate_password(username, "x")


def test_an_unknown_name_costs_as_much_as_a_known_one(
    passwords: StaticPasswordAuthenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs: list[int] = []

    def scrypt(password: bytes, **parameters: Any) -> bytes:
        costs.append(parameters["n"] * parameters["r"] * parameters["p"])
        return hashlib_scrypt(password, **parameters)

    hashlib_scrypt = hashlib.scrypt
    monkeypatch.setattr(hashlib, "scrypt", scrypt)

    for username in ("alice", "nobody"):
        assert passwords.authenticate_password(username, "x") is None
    assert passwords.authenticate_password("nobody", "canary:a b") is None

    assert len(costs) == 3
    assert len(set(costs)) == 1


def test_an_edit_is_followed(passwords: StaticPasswordAuthenticator, tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text(f"bob:{HASH}\n")

    assert passwords.table.reload()

    assert passwords.lookup("alice") is None
    assert passwords.lookup("bob") == UserInfo("bob")


def test_a_bad_edit_keeps_the_old_table(
    passwords: StaticPasswordAuthenticator, tmp_path: Path
) -> None:
    (tmp_path / "passwords").write_text("bob:oops\n")

    assert not passwords.table.reload()

    assert passwords.lookup("alice") is not None


def test_every_error_is_said_with_its_line_and_without_the_hash(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    weak = HASH.replace("ln=14", "ln=10")
    lines = [
        f"alice:{HASH}",
        f"alice:{HASH}",
        "bob:canary-in-clear",
        f":{HASH}",
        "carol",
        f"dave:{weak}",
        f"erin:{HASH}:1:g:x",
        f"frank:{HASH[:-31]}",
        f'"grace:{HASH}',
    ]

    errors = _errors(file, "\n".join(lines))

    for expected in (
        f"{file}:2: the same user as in line 1",
        f"{file}:3: not a hash as `authsvc password hash` makes it",
        f"{file}:4: the user is empty",
        f'{file}:5: expected username:hash:uid:"group1,group2", got 1 cells',
        f"{file}:6: the hash is too weak or too costly",
        f"{file}:7: expected username:hash",
        f"{file}:8: the hash is too short",
        f"{file}:9: unexpected end of data",
    ):
        assert expected in errors
    assert "canary" not in errors
    assert HASH[40:] not in errors


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidPolicyError, match="missing: no such file"):
        read(tmp_path / "missing")
    (tmp_path / "latin").write_bytes(b"\xe9:x\n")
    with pytest.raises(InvalidPolicyError, match="latin: not UTF-8 at byte 0"):
        read(tmp_path / "latin")


@pytest.mark.parametrize(
    ("row", "user"),
    [
        ("t\u2028\u0085x:HASH", UserInfo("t\u2028\u0085x")),
        (' alice : HASH : 7 : "b, a"', UserInfo("alice", "7", ("a", "b"))),
        ('"o\'""x""":HASH', UserInfo('o\'"x"')),
    ],
)
def test_a_row_is_a_user(tmp_path: Path, row: str, user: UserInfo) -> None:
    file = tmp_path / "passwords"
    file.write_text(row.replace("HASH", str(HASH)) + "\n", encoding="utf-8")

    assert [entry.user for entry in read(file).values()] == [user]


@pytest.mark.parametrize("content", ["", "\n", " \n\r\n"])
def test_an_empty_file_is_an_accident(tmp_path: Path, content: str) -> None:
    assert "empty: a comment in it would say that no user is meant" in _errors(
        tmp_path / "passwords", content
    )


def test_a_comment_says_that_nobody_is_meant(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    file.write_text("# nobody yet\n")

    assert read(file) == {}


def test_a_made_hash_is_a_good_one(tmp_path: Path) -> None:
    made = hash_password("s€cret")
    (tmp_path / "passwords").write_text(f"alice:{made}\n")

    assert read(tmp_path / "passwords")["alice"].hash == made
    assert made.matches("s€cret")
    assert not made.matches("secret")
    assert str(made) != str(hash_password("s€cret"))
