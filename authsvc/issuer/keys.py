"""The signing keys: private keys in files of a folder, and which of them does what now.

A file is a JWK (``.jwk``, EC or Ed25519) as `authsvc keys rotate` writes it, or
a PEM (``.pem``, RSA as well) of one's own. A JWK's ``nbf`` is when it begins to sign (the member
of that name in OpenID Federation 1.0, 8.7.2); it is published as soon as it is
there, so that every verifier knows it by then. A key that another has
superseded goes on verifying for ``overlap``, which is longer than the tokens
live. A PEM has no such time: it signs unless a later key does, and verifies
as long as its file is there; of several the last by name signs.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from authsvc import jose
from authsvc.errors import ConfigError, InvalidConfigurationError, NotReadyError
from authsvc.files import reason
from authsvc.jose import PrivateKey

_KINDS: dict[str, Callable[[Any], PrivateKey]] = {
    "EC": ECKey.import_key,
    "OKP": OKPKey.import_key,
}


class SigningKey(NamedTuple):
    """A private key. ``created_at`` and ``active_from`` are 0 where its file does not say."""

    key: PrivateKey
    kid: str
    algorithm: str
    created_at: float
    active_from: float
    file: Path


class KeyState(Enum):
    """What a key does now."""

    NEXT = "next"
    SIGNING = "signing"
    RETIRING = "retiring"
    RETIRED = "retired"


class KeyRing:
    """The keys of a folder at one time. Immutable; what they do follows from the time."""

    def __init__(self, keys: Sequence[SigningKey], overlap: float) -> None:
        self.keys = tuple(sorted(keys, key=lambda key: (key.active_from, key.file.name)))
        self._overlap = overlap
        self._by_kid = {key.kid: position for position, key in enumerate(self.keys)}

    def signing(self, now: float) -> SigningKey:
        """Return the key that signs.

        Raises:
            NotReadyError: there is none.
        """
        if not self.keys:
            raise NotReadyError("the issuer has no signing key")
        return self.keys[self._signer(now)]

    def verifying(self, kid: str, now: float) -> SigningKey | None:
        """Return the key of that id, None where it verifies nothing (any more)."""
        position = self._by_kid.get(kid)
        if position is None or self._state(position, now) is KeyState.RETIRED:
            return None
        return self.keys[position]

    def states(self, now: float) -> list[tuple[SigningKey, KeyState]]:
        """Return every key with what it does, in the order in which they sign."""
        return [(key, self._state(position, now)) for position, key in enumerate(self.keys)]

    def jwks(self, now: float) -> dict[str, list[dict[str, Any]]]:
        """Return the public keys that verify now or will (RFC 7517)."""
        published = [key for key, state in self.states(now) if state is not KeyState.RETIRED]
        return {"keys": [_public(key) for key in published]}

    def algorithms(self) -> list[str]:
        """Return the algorithms of the keys (RFC 7518)."""
        return sorted({key.algorithm for key in self.keys})

    def _signer(self, now: float) -> int:
        active = [index for index, key in enumerate(self.keys) if key.active_from <= now]
        # Before its time only where there is no other: a first key made on a
        # machine whose clock is ahead of this one's.
        return active[-1] if active else 0

    def _state(self, position: int, now: float) -> KeyState:
        signer = self._signer(now)
        if position == signer:
            return KeyState.SIGNING
        if position > signer:
            return KeyState.NEXT
        superseded = self.keys[position + 1].active_from or math.inf
        return KeyState.RETIRING if now < superseded + self._overlap else KeyState.RETIRED


def load(folder: Path, overlap: float) -> KeyRing:
    """Read all keys of a folder; ``overlap`` in seconds.

    Raises:
        InvalidConfigurationError: every fault: no key, a weak one, one that others can read.
    """
    errors: list[ConfigError] = []
    keys: list[SigningKey] = []
    kids: dict[str, Path] = {}
    for file in _files(folder, errors):
        try:
            key = _read(file)
        except OSError as error:
            errors.append(ConfigError(str(file), reason(error)))
        except ValueError as error:
            errors.append(ConfigError(str(file), str(error)))
        else:
            if key.kid in kids:
                errors.append(ConfigError(str(file), f"the same key as {kids[key.kid].name}"))
            kids.setdefault(key.kid, file)
            keys.append(key)
    if not keys and not errors:
        message = "no signing key; make one with `authsvc keys rotate`"
        errors.append(ConfigError(str(folder), message))
    if errors:
        raise InvalidConfigurationError(errors)
    return KeyRing(keys, overlap)


def _files(folder: Path, errors: list[ConfigError]) -> list[Path]:
    try:
        mode = folder.stat().st_mode
        files = sorted(folder.iterdir())
    except OSError as error:
        errors.append(ConfigError(str(folder), reason(error)))
        return []
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        errors.append(ConfigError(str(folder), "others may write here (chmod go-w)"))
    # A name with a dot in front is an editor's, or Kubernetes' own in a mounted Secret.
    return [file for file in files if not file.name.startswith(".")]


def _read(file: Path) -> SigningKey:
    with file.open("rb") as handle:
        _check_mode(os.fstat(handle.fileno()))
        data = handle.read()
    if file.suffix == ".jwk":
        key, created_at, active_from = _from_jwk(data)
    elif file.suffix == ".pem":
        key, created_at, active_from = jose.read_private_key(data), 0.0, 0.0
    else:
        raise ValueError("neither .jwk nor .pem")
    kid = key.kid or key.thumbprint()
    return SigningKey(key, kid, jose.algorithm_of(key), created_at, active_from, file)


def _check_mode(status: os.stat_result) -> None:
    # PostgreSQL's rule: what belongs to the process is for it alone. What
    # belongs to root may be for a group as well, else a process that is not
    # root could not read it at all, such as a Secret mounted under an fsGroup.
    allowed = 0o640 if status.st_uid == 0 and os.geteuid() != 0 else 0o600
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077 & ~allowed:
        raise ValueError(f"others may read it: mode {mode:04o}, expected {allowed:04o} at most")


def _from_jwk(data: bytes) -> tuple[PrivateKey, float, float]:
    try:
        members = msgspec.json.decode(data, type=dict[str, Any])
        key = _KINDS[members["kty"]](members)
    except (msgspec.DecodeError, JoseError, ValueError, TypeError, KeyError):
        raise ValueError("not a private JWK of kind EC or OKP (RSA comes as PEM)") from None
    if not key.is_private:
        raise ValueError("a public key; the issuer needs the private one")
    return key, _time(members, "iat"), _time(members, "nbf")


def _time(members: Mapping[str, object], name: str) -> float:
    value = members.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is no number")  # noqa: TRY004  a fault of the file's text
    return float(value)


def _public(key: SigningKey) -> dict[str, Any]:
    members = {"kty", "crv", "x", "y", "n", "e"}
    public = {
        name: value for name, value in key.key.as_dict(private=False).items() if name in members
    }
    return {**public, "kid": key.kid, "use": "sig", "alg": key.algorithm}
