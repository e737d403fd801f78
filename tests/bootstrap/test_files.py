"""What becomes of each kind of file when it is written again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from authsvc.bootstrap.files import SECRET, Folder, Outcome
from authsvc.errors import ConfigError


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path)
    folder.replace("key", b"old", SECRET)

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)

    with pytest.raises(ConfigError, match=r"key: no space left on device"):
        folder.replace("key", b"new", SECRET)

    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert (tmp_path / "key").read_bytes() == b"old"


def test_a_generated_file_is_updated_until_it_is_edited(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for text in ("one\n", "one\n", "two\n"):
        folder.generated("file", text)
    path = tmp_path / "file"
    path.write_text(path.read_text().replace("two", "mine"))
    folder.generated("file", "three\n")

    assert path.read_text().endswith("mine\n")
    assert [each.outcome for each in folder.written] == [
        *(Outcome.CREATED, Outcome.KEPT, Outcome.UPDATED, Outcome.KEPT),
    ]


def test_a_file_that_was_not_written_here_is_taken_for_edited(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff not ours")

    folder = Folder(tmp_path)
    folder.generated("file", "ours\n")

    assert (tmp_path / "file").read_bytes() == b"\xff not ours"
    assert folder.written[0].note == "edited by hand"


def test_a_starter_is_written_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.starter("file", "first")
    folder.starter("file", "second")

    assert (tmp_path / "file").read_text() == "first"
