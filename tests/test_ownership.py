"""What root makes in somebody else's folder is theirs, and nothing besides."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from authsvc.ownership import give_to_folders_owner

NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "service"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    return folder


def test_a_new_file_belongs_to_the_owner_of_its_folder(folder: Path) -> None:
    file = folder / "key.jwk"
    file.touch()

    give_to_folders_owner(file)

    assert (file.stat().st_uid, file.stat().st_gid) == (NOBODY, NOBODY)


def test_a_link_that_the_owner_put_in_its_place_gives_nothing_away(
    folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "shadow"
    elsewhere.touch()
    (folder / "key.jwk").symlink_to(elsewhere)

    give_to_folders_owner(folder / "key.jwk")

    assert elsewhere.stat().st_uid == 0


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
