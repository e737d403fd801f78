"""Which files are secret, and that a mode which lets everybody read them is seen."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from authsvc.bootstrap import initialise
from authsvc.config import load
from authsvc.config.exposure import exposed
from authsvc.issuer.rotation import rotate

CONFIG = Path(__file__).parents[2] / "config"
SECRETS = ("tokens.csv", "passwords", "redis-password", "ci-secret", "ldap-password")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    initialise(tmp_path)
    rotate(tmp_path / "keys", algorithm="ES256", activate_in=0, overlap=660, now=1)
    (tmp_path / "ldap-ca.crt").write_text("x")
    for name in SECRETS:
        (tmp_path / name).write_text("canary\n")
        (tmp_path / name).chmod(0o604)
    (tmp_path / "pki/server.key").chmod(0o604)
    return tmp_path


@pytest.mark.parametrize(
    ("example", "secrets"),
    [
        ("authsvc.yaml", {"pki/server.key", "tokens.csv"}),
        ("ldap/openldap.yaml", {"pki/server.key", "ldap-password"}),
        (
            "login/several-machines.yaml",
            {"pki/server.key", "passwords", "tokens.csv", "redis-password", "ci-secret"},
        ),
    ],
)
def test_every_secret_that_everybody_may_read_is_found(
    folder: Path, example: str, secrets: set[str]
) -> None:
    file = Path(shutil.copy(CONFIG / example, folder / "authsvc.yaml"))

    found = exposed(load(file))

    assert {str(each.relative_to(folder)) for each in found} == secrets
    for each in found:
        each.chmod(0o640)
    assert exposed(load(file)) == []


def test_a_secret_that_is_gone_is_not_spoken_of(folder: Path) -> None:
    configuration = load(Path(shutil.copy(CONFIG / "authsvc.yaml", folder / "authsvc.yaml")))
    (folder / "tokens.csv").unlink()

    assert exposed(configuration) == [folder / "pki/server.key"]
