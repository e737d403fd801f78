"""``authsvc token hash``."""

from __future__ import annotations

import hashlib
import os
import pty
import subprocess
import sys
from pathlib import Path

from authsvc.authn.static import hash_token, read
from tests.cli.test_main import authsvc


def test_the_token_on_stdin_is_hashed() -> None:
    run = authsvc("token", "hash", stdin="secret\n")
    assert run.stdout == f"sha256:{hashlib.sha256(b'secret').hexdigest()}\n"
    assert run.returncode == 0


def test_a_windows_line_end_is_no_part_of_a_token() -> None:
    assert (
        authsvc("token", "hash", stdin="secret\r\n").stdout
        == authsvc("token", "hash", stdin="secret").stdout
    )


def test_without_a_token_it_is_an_error_of_use() -> None:
    run = authsvc("token", "hash", stdin="\n")
    assert run.returncode == 2
    assert "--generate" in run.stderr
    assert run.stdout == ""


def test_a_token_can_be_made_and_its_hash_goes_into_a_table(tmp_path: Path) -> None:
    token, hashed = authsvc("token", "hash", "--generate").stdout.splitlines()
    assert len(token) >= 43  # 256 bits
    table = tmp_path / "tokens.csv"
    table.write_text(f"{hashed},alice,1001\n")
    assert hash_token(token) in read(table)


def test_no_two_made_tokens_are_the_same() -> None:
    made = {authsvc("token", "hash", "--generate").stdout for _ in range(2)}
    assert len(made) == 2


def test_a_terminal_is_asked_for_the_token_and_does_not_show_it() -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "authsvc", "token", "hash"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, start_new_session=True
    ) as run:
        os.close(theirs)
        asked = b""
        while b"Token: " not in asked:
            asked += os.read(ours, 1024)
        os.write(ours, b"secret\n")
        assert run.stdout is not None
        assert run.stdout.read().decode() == authsvc("token", "hash", stdin="secret").stdout
        shown = os.read(ours, 1024)
    os.close(ours)
    assert run.returncode == 0
    assert b"secret" not in shown
