"""`authsvc policy format`: writes what is safe to write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.policy.conftest import Authsvc

UGLY = "p,user:a,*,pods,*,get,allow\np, user:bob, *, secrets, *, get, allow\n"
NEAT = "p, user:a,   *, pods,    *, get, allow\np, user:bob, *, secrets, *, get, allow\n"


def test_files_are_written_once_with_the_rights_they_had_and_behind_links(
    authsvc: Authsvc, tmp_path: Path
) -> None:
    file, folder = tmp_path / "real", tmp_path / "policy"
    file.write_text(UGLY)
    file.chmod(0o640)
    folder.mkdir()
    (folder / "p.csv").symlink_to("../real")

    first = authsvc("format", "--policy", folder)
    second = authsvc("format", "--policy", folder)

    assert first == (0, f"{folder}/p.csv: put in columns\n", "")
    assert second == (0, "all files are in columns\n", "")
    assert file.read_text() == NEAT
    assert file.stat().st_mode & 0o777 == 0o640
    assert (folder / "p.csv").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["policy", "real"]


def test_check_and_diff_write_nothing_and_exit_1(authsvc: Authsvc, tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text(UGLY)

    checked = authsvc("format", "--policy", file, "--check")
    compared = authsvc("format", "--policy", file, "--diff")

    assert (checked.code, compared.code) == (1, 1)
    assert checked.out == f"{file}: not in columns\n1 file to format\n"
    assert "\n+p, user:a,   *, pods,    *, get, allow\n" in compared.out
    assert file.read_text() == UGLY


def test_a_folder_with_an_error_is_left_alone(authsvc: Authsvc, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(UGLY)
    (tmp_path / "b.csv").write_text("p, a\n")

    answer = authsvc("format", "--policy", tmp_path)

    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(f"error: {tmp_path}/b.csv:1: ")
    assert (tmp_path / "a.csv").read_text() == UGLY


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes files of others")
def test_a_file_that_root_formats_stays_its_owners(authsvc: Authsvc, tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text(UGLY)
    file.chmod(0o640)
    os.chown(file, 65533, 65534)

    authsvc("format", "--policy", file)

    assert file.read_text() == NEAT
    assert (file.stat().st_uid, file.stat().st_gid) == (65533, 65534)


def test_a_file_that_cannot_be_written_is_an_error_with_its_place(
    authsvc: Authsvc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "p.csv"
    file.write_text(UGLY)

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)

    answer = authsvc("format", "--policy", file)

    assert (answer.code, answer.err) == (1, f"error: {file}: no space left on device\n")
    assert file.read_text() == UGLY
