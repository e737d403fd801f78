"""Files are whole or not there, keys are never open, and each belongs to who is to read it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from authsvc.files import give_to_folders_owner, reason, write_whole

NOBODY = 65534

by_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "service"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    return folder


def test_a_file_is_made_closed_and_under_a_name_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, int, int]] = []
    real: Callable[..., int] = os.open

    def recording(path: str, flags: int, mode: int = 0o777, **others: int) -> int:
        if flags & os.O_CREAT:
            opened.append((str(path), flags, mode))
        return real(path, flags, mode, **others)

    monkeypatch.setattr(os, "open", recording)

    write_whole(tmp_path / "key", b"secret", 0o640)

    ((name, flags, mode),) = opened
    assert mode == 0o600
    assert flags & os.O_EXCL
    assert flags & os.O_CREAT
    assert name.startswith(f"{tmp_path}/.key.")
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o640


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_whole(tmp_path / "key", b"old", 0o600)

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)

    with pytest.raises(OSError, match="No space") as refused:
        write_whole(tmp_path / "key", b"new", 0o600)

    assert reason(refused.value) == "no space left on device"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert (tmp_path / "key").read_bytes() == b"old"


@by_root
def test_what_root_writes_belongs_to_the_owner_of_the_folder_or_to_who_is_named(
    folder: Path,
) -> None:
    write_whole(folder / "theirs", b"", 0o600)
    write_whole(folder / "named", b"", 0o600, (1, 2))

    status, named = (folder / "theirs").stat(), (folder / "named").stat()
    assert (status.st_uid, status.st_gid) == (NOBODY, NOBODY)
    assert (named.st_uid, named.st_gid) == (1, 2)


@by_root
def test_a_new_file_belongs_to_the_owner_of_its_folder(folder: Path) -> None:
    file = folder / "key.jwk"
    file.touch()

    give_to_folders_owner(file)

    assert (file.stat().st_uid, file.stat().st_gid) == (NOBODY, NOBODY)


@by_root
def test_a_link_that_the_owner_put_in_its_place_gives_nothing_away(
    folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "shadow"
    elsewhere.touch()
    (folder / "key.jwk").symlink_to(elsewhere)

    give_to_folders_owner(folder / "key.jwk")

    assert elsewhere.stat().st_uid == 0


@by_root
def test_a_hard_link_that_the_owner_put_in_its_place_gives_nothing_away(
    folder: Path, tmp_path: Path
) -> None:
    elsewhere, file = tmp_path / "shadow", folder / "key.jwk"
    elsewhere.touch()
    with file.open("wb") as made:
        file.rename(folder / "moved")
        file.hardlink_to(elsewhere)

        give_to_folders_owner(file, made.fileno())

    assert elsewhere.stat().st_uid == 0
    assert (folder / "moved").stat().st_uid == NOBODY
