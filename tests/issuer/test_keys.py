"""The signing keys: what a folder may hold, and what each key does when."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from authsvc.errors import InvalidConfigurationError
from authsvc.issuer.keys import KeyRing, KeyState, load
from authsvc.issuer.rotation import Algorithm, Rotation, rotate

NOW, OVERLAP = 1_000_000.0, 660.0
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def _rotate(folder: Path, now: float, algorithm: Algorithm = "ES256") -> Rotation:
    return rotate(folder, algorithm=algorithm, activate_in=900, overlap=OVERLAP, now=now)


def _states(folder: Path, now: float) -> list[KeyState]:
    return [state for _, state in load(folder, OVERLAP).states(now)]


def _published(ring: KeyRing, now: float) -> list[str]:
    return [key["kid"] for key in ring.jwks(now)["keys"]]


def _write_pem(
    file: Path,
    key: PrivateKey | dsa.DSAPrivateKey,
    encryption: KeySerializationEncryption | None = None,
) -> None:
    file.parent.mkdir(exist_ok=True, mode=0o700)
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    file.write_bytes(data)
    file.chmod(0o600)


def _refused(folder: Path) -> str:
    with pytest.raises(InvalidConfigurationError) as refused:
        load(folder, OVERLAP)
    return str(refused.value)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_the_first_key_signs_at_once_and_is_readable_by_its_owner_only(
    folder: Path, algorithm: Algorithm
) -> None:
    made = _rotate(folder, NOW, algorithm)

    signing = load(folder, OVERLAP).signing(NOW)

    assert (signing.kid, signing.algorithm) == (made.kid, algorithm)
    assert made.file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_that_root_makes_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 65532, 65532)

    made = _rotate(tmp_path / "keys", NOW)

    assert (made.file.stat().st_uid, made.file.parent.stat().st_gid) == (65532, 65532)


def test_a_folder_that_cannot_be_made_is_a_fault_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigurationError, match="missing/keys: no such file or directory"):
        _rotate(tmp_path / "missing/keys", NOW)


def test_a_key_that_cannot_be_written_leaves_nothing_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)

    with pytest.raises(InvalidConfigurationError, match=r"\.jwk: no space left on device"):
        _rotate(folder, NOW)

    assert list(folder.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_a_fault_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "keys").touch()

    with pytest.raises(InvalidConfigurationError, match="keys: not a directory"):
        _rotate(tmp_path / "keys", NOW)


def test_a_new_key_is_published_before_it_signs_and_the_old_verifies_after(folder: Path) -> None:
    old = _rotate(folder, NOW)
    new = _rotate(folder, NOW + 1000)
    active = NOW + 1000 + 900
    ring = load(folder, OVERLAP)

    assert ring.signing(active - 1).kid == old.kid
    assert _published(ring, active - 1) == [old.kid, new.kid]
    assert ring.signing(active).kid == new.kid
    assert _published(ring, active + OVERLAP - 1) == [old.kid, new.kid]
    assert ring.verifying(old.kid, active + OVERLAP - 1) is not None
    assert ring.verifying(old.kid, active + OVERLAP) is None
    assert _published(ring, active + OVERLAP) == [new.kid]


def test_rotating_takes_away_the_keys_that_verify_nothing_any_more(folder: Path) -> None:
    first = _rotate(folder, NOW)
    second = _rotate(folder, NOW + 1000)

    third = _rotate(folder, NOW + 10_000)

    assert second.removed == ()
    assert third.removed == (first.file,)
    assert sorted(folder.iterdir()) == [second.file, third.file]
    assert _states(folder, NOW + 10_000) == [KeyState.SIGNING, KeyState.NEXT]


def test_rotating_again_before_the_new_key_signs_is_refused(folder: Path) -> None:
    _rotate(folder, NOW)
    _rotate(folder, NOW + 10)

    with pytest.raises(InvalidConfigurationError, match="rotate again after that"):
        _rotate(folder, NOW + 20)


def test_the_published_keys_hold_nothing_private(folder: Path) -> None:
    _rotate(folder, NOW)

    (key,) = load(folder, OVERLAP).jwks(NOW)["keys"]

    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
        (rsa.generate_private_key(65537, 2048), "RS256"),
    ],
    ids=["P-256", "P-384", "Ed25519", "RSA-2048"],
)
def test_a_pem_of_ones_own_signs(folder: Path, key: PrivateKey, algorithm: str) -> None:
    _write_pem(folder / "own.pem", key)

    assert load(folder, OVERLAP).signing(NOW).algorithm == algorithm


def test_of_two_pems_the_last_by_name_signs_and_both_verify_while_they_are_there(
    folder: Path,
) -> None:
    for name in ("2026-01.pem", "2026-02.pem"):
        _write_pem(folder / name, ec.generate_private_key(ec.SECP256R1()))

    ring = load(folder, OVERLAP)

    assert ring.signing(NOW).file.name == "2026-02.pem"
    assert [state for _, state in ring.states(NOW)] == [KeyState.RETIRING, KeyState.SIGNING]


def test_every_weak_or_useless_key_is_refused_at_once_with_its_file(folder: Path) -> None:
    _write_pem(folder / "rsa.pem", rsa.generate_private_key(65537, 1024))  # noqa: S505  weak on purpose
    _write_pem(folder / "k1.pem", ec.generate_private_key(ec.SECP256K1()))
    _write_pem(folder / "dsa.pem", dsa.generate_private_key(2048))
    own = ec.generate_private_key(ec.SECP256R1())
    _write_pem(folder / "locked.pem", own, BestAvailableEncryption(b"canary"))
    public = own.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for name, data in {
        "public.pem": public,
        "cut.jwk": b'{"kty": "EC", "crv": "P-2',
        "oct.jwk": b'{"kty": "oct", "k": "AAAA"}',
        "README": b"hello",
    }.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)

    refused = _refused(folder)

    assert f"{folder}/rsa.pem: RSA of 1024 bits is weak; 2048 at least" in refused
    assert f"{folder}/k1.pem: curve secp256k1 is not one of" in refused
    assert f"{folder}/dsa.pem: of a kind that cannot sign a token" in refused
    for name in ("locked.pem", "public.pem"):
        assert f"{folder}/{name}: no unencrypted private key" in refused
    for name in ("cut.jwk", "oct.jwk"):
        assert f"{folder}/{name}: not a private JWK" in refused
    assert f"{folder}/README: neither .jwk nor .pem" in refused
    assert "canary" not in refused


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o644, 0o602])
def test_a_key_that_others_can_read_or_write_is_refused(folder: Path, mode: int) -> None:
    made = _rotate(folder, NOW)
    made.file.chmod(mode)

    assert f"others may read it: mode 0{mode:o}, expected 0600 at most" in _refused(folder)


def test_a_folder_that_others_can_write_is_refused(folder: Path) -> None:
    _rotate(folder, NOW)
    folder.chmod(0o777)

    assert "others may write here" in _refused(folder)


def test_a_key_that_is_there_twice_is_refused(folder: Path) -> None:
    made = _rotate(folder, NOW)
    copy = folder / "copy.jwk"
    copy.write_bytes(made.file.read_bytes())
    copy.chmod(0o600)

    assert "the same key as" in _refused(folder)


def test_an_empty_folder_says_what_makes_a_key(folder: Path) -> None:
    folder.mkdir()

    assert "make one with `authsvc keys rotate`" in _refused(folder)


def test_a_mounted_secret_with_its_hidden_folders_is_read(folder: Path) -> None:
    data = folder / "..2026_11_23"
    folder.mkdir()
    made = _rotate(data, NOW)
    (folder / "..data").symlink_to(data.name)
    (folder / "key.jwk").symlink_to(Path("..data") / made.file.name)
    folder.chmod(0o1777)

    assert load(folder, OVERLAP).signing(NOW).kid == made.kid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to root")
def test_a_key_of_root_may_be_for_the_group_of_a_process_that_is_not_root(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _rotate(folder, NOW)
    made.file.chmod(0o440)
    monkeypatch.setattr(os, "geteuid", lambda: 65532)

    assert load(folder, OVERLAP).signing(NOW).kid == made.kid
