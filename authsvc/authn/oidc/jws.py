"""Which signature on a JWT is good (RFC 7515, with the advice of RFC 8725).

The token says which key and algorithm; the configuration says which algorithms
are taken, and the key says which one it is for. A token that brings along what to
verify it with (``jwk``, ``jku``, ``x5u``) is refused. No I/O here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import CompactSignature

from authsvc.authn.checks import Refused
from authsvc.jose import CURVES, MIN_RSA_BITS, Algorithms, decode_part

_SELF_MADE_TRUST = ("jwk", "jku", "x5u")
_ED25519 = {"EdDSA", "Ed25519"}


class Verifier(Algorithms):
    """Verifies with the listed algorithms and no other. Immutable."""

    def read(self, token: str) -> CompactSignature:
        """Take a token apart and check its header; nothing is verified yet.

        Raises:
            Refused: no JWS, an algorithm not listed, an unknown critical
                header, or a header that brings its own key.
        """
        try:
            parts = jws.extract_compact(token.encode("ascii"), registry=self)
            header = parts.headers()
            brought = [name for name in _SELF_MADE_TRUST if name in header]
            if brought:
                raise Refused("header", f"it brings its own key ({', '.join(brought)})")
            # No extension is known here, and none of JWS itself may be listed
            # (RFC 7515 4.1.11); b64 is the one that joserfc knows, but it is
            # not for JWTs (RFC 7797 7).
            extensions = [name for name in ("crit", "b64") if name in header]
            if extensions:
                raise Refused("header", f"extensions are not understood ({', '.join(extensions)})")
            self.check_header(header)
            self.get_alg(header["alg"])
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise Refused("header", str(error)) from None
        return parts

    def verify(self, parts: CompactSignature, keys: Sequence[Key]) -> dict[str, Any]:
        """Return the claims, once one of the keys has verified the signature.

        Raises:
            Refused: none did, or what was signed are no claims.
        """
        if not any(self._is_by(parts, key) for key in keys):
            raise Refused("signature", "it does not verify")
        try:
            claims = json.loads(parts.payload)
        except (ValueError, RecursionError):
            claims = None
        if not isinstance(claims, dict):
            raise Refused("claims", "not a JSON object")
        return claims

    def _is_by(self, parts: CompactSignature, key: Key) -> bool:
        try:
            return jws.validate_compact(parts, key, registry=self)
        except (JoseError, ValueError, TypeError):
            return False


def read_keys(document: object) -> tuple[Key, ...]:
    """Return the keys of a JWK Set (RFC 7517 5) that can verify signatures, leaving out the rest.

    Raises:
        ValueError: it is no JWK Set, or holds no such key.
    """
    entries: Any = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        entries = []
    keys = tuple(key for key in map(_read_key, entries) if key is not None)
    if not keys:
        raise ValueError("no JWK Set with a key that verifies signatures")
    return keys


def _read_key(entry: Any) -> Key | None:
    kinds: dict[object, type[RSAKey | ECKey | OKPKey]] = {
        "RSA": RSAKey,
        "EC": ECKey,
        "OKP": OKPKey,
    }
    try:
        if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
            return None
        if entry.get("kty") == "RSA" and _bits(entry["n"]) < MIN_RSA_BITS:
            return None
        key = kinds[entry.get("kty")].import_key(entry)
        _ = key.public_key  # makes joserfc read the numbers in it
    except (JoseError, AttributeError, KeyError, ValueError, TypeError):  # whatever it is
        return None
    return key


def _bits(number: str) -> int:
    """Return the length of a Base64urlUInt (RFC 7518 2)."""
    return int.from_bytes(decode_part(number), "big").bit_length()


def keys_for(keys: Sequence[Key], kid: str | None, algorithm: str) -> tuple[Key, ...]:
    """Return the keys that a token may be signed with, by its key id and algorithm.

    A token without a key id may be signed with any key of its algorithm.
    """
    return tuple(key for key in keys if (kid is None or key.kid == kid) and _is_for(key, algorithm))


def _is_for(key: Key, algorithm: str) -> bool:
    if isinstance(key, OctKey) or key.alg not in {None, algorithm, *_same(algorithm)}:
        return False
    if isinstance(key, ECKey):
        return key.curve_name == CURVES.get(algorithm)
    if isinstance(key, OKPKey):
        return algorithm in _ED25519 and key.curve_name == "Ed25519"
    return algorithm[:2] in {"RS", "PS"}


def _same(algorithm: str) -> Collection[str]:
    return _ED25519 if algorithm in _ED25519 else ()
