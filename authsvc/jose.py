"""JOSE as this service uses it: the algorithms, and the keys that are good for them.

Below the issuer, which signs, and the authenticators, which verify; joserfc does
the work. What is signed is not known here.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Collection
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.errors import UnsupportedAlgorithmError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

PrivateKey = ECKey | OKPKey | RSAKey

MIN_RSA_BITS = 2048  # RFC 7518 3.3
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}  # RFC 7518 3.4
_CANNOT_SIGN = "of a kind that cannot sign a token; EC, Ed25519 and RSA can"


class Algorithms(JWSRegistry):
    """The listed algorithms: nothing is signed or verified by any other. Immutable."""

    # joserfc's 512 bytes are too few for the headers that carry an x5c chain.
    max_header_length = 8192

    def __init__(self, algorithms: Collection[str]) -> None:
        super().__init__(algorithms=frozenset(algorithms), strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        """Return a listed algorithm.

        Unlike joserfc's own this does not warn of ``EdDSA``: RFC 9864 wants
        the name gone, not the algorithm, and every provider still says it.
        """
        if name not in (self.allowed or ()) or name not in self.algorithms:
            raise UnsupportedAlgorithmError(f"Algorithm of '{name}' is not allowed")
        return self.algorithms[name]


def read_private_key(pem: bytes) -> PrivateKey:
    """Return the private key in a PEM.

    Raises:
        ValueError: none, one behind a passphrase, or one that `algorithm_of` refuses.
    """
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("no unencrypted private key in PEM form") from None
    if isinstance(private, rsa.RSAPrivateKey):
        _check_size(private)  # first: joserfc only warns
        return RSAKey.import_key(private)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        _of_curve(private.curve.name)  # first: joserfc has no name for some
        return ECKey.import_key(private)
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return OKPKey.import_key(private)
    raise ValueError(_CANNOT_SIGN)


def algorithm_of(key: PrivateKey) -> str:
    """Return the algorithm that a private key signs with; of those for RSA it is RS256.

    Raises:
        ValueError: a kind or a curve that signs no tokens here, or RSA that is weak.
    """
    private = key.private_key
    if isinstance(private, rsa.RSAPrivateKey):
        _check_size(private)
        return "RS256"
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return _of_curve(private.curve.name)
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return "EdDSA"
    raise ValueError(_CANNOT_SIGN)


def _check_size(key: rsa.RSAPrivateKey) -> None:
    if key.key_size < MIN_RSA_BITS:
        raise ValueError(f"RSA of {key.key_size} bits is weak; {MIN_RSA_BITS} at least")


def _of_curve(name: str) -> str:
    for algorithm, curve in CURVES.items():
        if name == f"secp{curve.removeprefix('P-')}r1":  # as SEC 2 and cryptography call it
            return algorithm
    raise ValueError(f"curve {name} is not one of {', '.join(CURVES.values())}")


def decode_part(text: str) -> bytes:
    """Return what base64url without padding holds (RFC 7515 2).

    Raises:
        ValueError: it is none.
    """
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
