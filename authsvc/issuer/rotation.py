"""A new signing key, beside the one in use.

The new key is published at once and signs later, when every verifier has seen
it; the one before it verifies until the last of its tokens has expired. Older
keys are removed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from joserfc.jwk import ECKey, OKPKey

from authsvc.errors import ConfigError, InvalidConfigurationError
from authsvc.files import give_to_folders_owner, reason, write_whole
from authsvc.issuer import keys

Algorithm = Literal["ES256", "EdDSA"]


class Rotation(NamedTuple):
    """What a rotation did."""

    file: Path
    kid: str
    active_from: float
    removed: tuple[Path, ...]


def rotate(
    folder: Path, *, algorithm: Algorithm, activate_in: float, overlap: float, now: float
) -> Rotation:
    """Make a key that signs ``activate_in`` seconds from now; the first one signs at once.

    Raises:
        InvalidConfigurationError: the folder or a key in it cannot be used, or the key of the
            last rotation does not sign yet.
    """
    with _reported(folder):
        _make(folder)
        has_keys = _has_keys(folder)
    states = keys.load(folder, overlap).states(now) if has_keys else []
    waiting = [key for key, state in states if state is keys.KeyState.NEXT]
    if waiting:
        message = f"signs from {_utc(waiting[0].active_from)} on; rotate again after that"
        raise InvalidConfigurationError([ConfigError(str(waiting[0].file), message)])
    active_from = int(now + activate_in) if states else int(now)
    key = _generate(algorithm)
    kid = key.thumbprint()
    file = folder / f"{_utc(now).replace(':', '').replace('-', '')}-{kid[:8]}.jwk"
    members = {**key.as_dict(private=True), "use": "sig", "alg": algorithm, "kid": kid}
    content = msgspec.json.encode({**members, "iat": int(now), "nbf": active_from}) + b"\n"
    # Whole or not at all: a service that reads the folder never sees half a key.
    with _reported(file):
        write_whole(file, content, 0o600)
    retired = tuple(key.file for key, state in states if state is keys.KeyState.RETIRED)
    for old in retired:
        with _reported(old):
            old.unlink()
    return Rotation(file, kid, active_from, retired)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    give_to_folders_owner(folder)


def _has_keys(folder: Path) -> bool:
    return any(not entry.name.startswith(".") for entry in folder.iterdir())


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidConfigurationError([ConfigError(str(path), reason(error))]) from None


def _generate(algorithm: Algorithm) -> ECKey | OKPKey:
    if algorithm == "ES256":
        return ECKey.generate_key("P-256")
    return OKPKey.generate_key("Ed25519")


def _utc(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
