"""What becomes of each kind of file when it is written again."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from authsvc.bootstrap.files import SECRET, Folder, Outcome
from authsvc.errors import ConfigError

ACL = "system.posix_acl_access"


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


def access_list(*, others: int = 0) -> bytes:
    """Return what `setfacl -m u:1234:r` makes of mode 0600 (acl(5), linux/posix_acl_xattr.h)."""
    nobody = 0xFFFFFFFF
    owner, user, group, mask, other = 0x01, 0x02, 0x04, 0x10, 0x20
    entries = [
        *((owner, 6, nobody), (user, 4, 1234), (group, 0, nobody)),
        *((mask, 4, nobody), (other, others, nobody)),
    ]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.fixture
def opened_key(tmp_path: Path) -> Path:
    """Return a secret that another user, the API server's, was given to read."""
    Folder(tmp_path).replace("key", b"old", SECRET)
    os.setxattr(tmp_path / "key", ACL, access_list())
    return tmp_path / "key"


def test_whom_a_secret_was_opened_to_may_read_the_next_one(opened_key: Path) -> None:
    Folder(opened_key.parent).replace("key", b"new", SECRET)

    assert os.getxattr(opened_key, ACL) == access_list()
    assert opened_key.read_bytes() == b"new"


def test_and_go_on_reading_the_one_that_is_kept(opened_key: Path) -> None:
    folder = Folder(opened_key.parent)
    folder.keep_secret("key")

    assert os.getxattr(opened_key, ACL) == access_list()
    assert [each.outcome for each in folder.written] == [Outcome.KEPT]


def test_an_access_list_opens_no_secret_to_everybody(opened_key: Path) -> None:
    for renew in (False, True):
        os.setxattr(opened_key, ACL, access_list(others=4))
        folder = Folder(opened_key.parent)
        if renew:
            folder.replace("key", b"new", SECRET)
        else:
            folder.keep_secret("key")

        assert os.getxattr(opened_key, ACL) == access_list()


def test_an_access_list_that_cannot_be_kept_is_said(
    opened_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "setxattr", refuse)
    folder = Folder(opened_key.parent)
    folder.replace("key", b"new", SECRET, "it ends soon")

    assert [each.note for each in folder.written] == [
        "it ends soon, without its access list: setfacl it anew"
    ]
    assert opened_key.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes the file of someone else")
def test_the_access_list_of_another_users_file_opens_nothing_of_roots(opened_key: Path) -> None:
    os.chown(opened_key, 1234, 1234)

    Folder(opened_key.parent).replace("key", b"new", SECRET, owner=(0, 0))

    assert opened_key.stat().st_mode & 0o077 == 0
    with pytest.raises(OSError, match="No data available"):
        os.getxattr(opened_key, ACL)
