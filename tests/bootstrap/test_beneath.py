"""Root fills somebody else's folder, and touches nothing that is not in it."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from authsvc.bootstrap import initialise
from authsvc.bootstrap.files import SECRET, Folder
from authsvc.errors import ConfigError
from tests.bootstrap.conftest import NOW

by_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """Return another ``pki/``, whose key is none of the folder's business."""
    initialise(tmp_path / "cluster", now=NOW)
    return tmp_path / "cluster/pki"


def _a_link(path: Path, to: Path) -> None:
    path.symlink_to(to)


def _another_name(path: Path, to: Path) -> None:
    path.hardlink_to(to)


def _a_pipe(path: Path, to: Path) -> None:
    del to
    os.mkfifo(path)


def _a_folder(path: Path, to: Path) -> None:
    del to
    path.mkdir()


Put = Callable[[Path, Path], None]


@pytest.mark.parametrize(
    ("put", "message"),
    [
        (_a_link, "a symbolic link"),
        (_another_name, "has other names"),
        (_a_pipe, "not a regular file"),
        (_a_folder, "not a regular file"),
    ],
)
def test_nothing_is_signed_with_a_key_that_is_elsewhere(
    site: Path, cluster: Path, put: Put, message: str
) -> None:
    for name in ("ca.key", "ca.crt", "server.crt"):
        (site / "pki" / name).unlink()
    shutil.copy(cluster / "ca.crt", site / "pki")
    put(site / "pki/ca.key", cluster / "ca.key")

    with pytest.raises(ConfigError, match=rf"authsvc/pki/ca\.key: {message}"):
        initialise(site, now=NOW)

    assert not (site / "pki/server.crt").exists()


@pytest.mark.parametrize("put", [_a_link, _another_name])
@pytest.mark.parametrize("name", ["ca.crt", "server.crt", "server.key", "apiserver-client.key"])
def test_nothing_elsewhere_is_read_or_closed_to_who_could_read_it(
    site: Path, cluster: Path, put: Put, name: str
) -> None:
    (cluster / name).chmod(0o644)
    (site / "pki" / name).unlink()
    put(site / "pki" / name, cluster / name)

    with pytest.raises(ConfigError, match=rf"authsvc/pki/{name}: "):
        initialise(site, now=NOW)

    assert stat.S_IMODE((cluster / name).stat().st_mode) == 0o644


def test_the_folder_of_the_keys_is_not_elsewhere_either(site: Path, cluster: Path) -> None:
    shutil.rmtree(site / "pki")
    (site / "pki").symlink_to(cluster)

    with pytest.raises(ConfigError, match=r"authsvc/pki: a symbolic link"):
        initialise(site, now=NOW)


@by_root
@pytest.mark.parametrize("name", ["ca.crt", "server.key"])
def test_a_file_of_a_third_user_is_refused(site: Path, name: str) -> None:
    for path in (site, *site.rglob("*")):
        os.chown(path, 65532, 65532)
    initialise(site, now=NOW)
    os.chown(site / "pki" / name, 0, 0)
    initialise(site, now=NOW)
    os.chown(site / "pki" / name, 65533, 65532)

    with pytest.raises(ConfigError, match=rf"authsvc/pki/{name}: belongs to user 65533"):
        initialise(site, now=NOW)


def test_a_folder_that_is_replaced_meanwhile_is_not_written_to(
    site: Path, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (cluster / "server.key").read_bytes()
    real = secrets.token_hex

    def swap(size: int) -> str:
        (site / "pki").rename(site / "moved")
        (site / "pki").symlink_to(cluster)
        return real(size)

    monkeypatch.setattr(secrets, "token_hex", swap)

    Folder(site).replace("pki/server.key", b"new", SECRET)

    assert (cluster / "server.key").read_bytes() == before
    assert (site / "moved/server.key").read_bytes() == b"new"


def test_a_pipe_in_the_place_of_a_file_that_was_written_holds_nothing_up(site: Path) -> None:
    (site / "apiserver/authentication.kubeconfig").unlink()
    os.mkfifo(site / "apiserver/authentication.kubeconfig")

    with pytest.raises(ConfigError, match=r"authentication\.kubeconfig: not a regular file"):
        initialise(site, now=NOW)


def test_a_file_without_end_is_not_read_to_its_end(site: Path) -> None:
    os.truncate(site / "pki/ca.crt", 1 << 40)

    with pytest.raises(ConfigError, match=r"pki/ca\.crt: larger than"):
        initialise(site, now=NOW)
