"""The keys that sign here, what they sign with, and the parts of what is signed."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.errors import UnsupportedAlgorithmError
from joserfc.jwk import ECKey, OKPKey

from authsvc.jose import Algorithms, algorithm_of, decode_part, read_private_key

Native = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def _pem(key: Native | ed448.Ed448PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384"),
        (ec.generate_private_key(ec.SECP521R1()), "ES512"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
        (rsa.generate_private_key(65537, 2048), "RS256"),
    ],
    ids=["P-256", "P-384", "P-521", "Ed25519", "RSA"],
)
def test_a_key_signs_with_the_algorithm_of_its_kind_and_curve(key: Native, algorithm: str) -> None:
    read = read_private_key(_pem(key))

    assert algorithm_of(read) == algorithm
    Algorithms([algorithm]).get_alg(algorithm).check_key(read)


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        (b"canary", "no unencrypted private key in PEM form"),
        (ECKey.generate_key("P-256").as_pem(private=False), "no unencrypted private key"),
        (ECKey.generate_key("P-256").as_pem(password="x"), "no unencrypted private key"),
        (_pem(ec.generate_private_key(ec.SECP224R1())), "curve secp224r1 is not one of P-256, P-"),
        (_pem(ed448.Ed448PrivateKey.generate()), "of a kind that cannot sign a token"),
        (_pem(rsa.generate_private_key(65537, 1024)), "RSA of 1024 bits is weak"),  # noqa: S505
    ],
    ids=["no key", "public", "encrypted", "curve", "kind", "weak"],
)
def test_what_signs_no_token_is_refused_with_the_reason(pem: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_private_key(pem)


@pytest.mark.parametrize(
    "key", [ECKey.generate_key("secp256k1"), OKPKey.generate_key("X25519")], ids=["EC", "OKP"]
)
def test_a_jwk_that_signs_no_token_has_no_algorithm(key: ECKey | OKPKey) -> None:
    with pytest.raises(ValueError, match=r"is not one of|cannot sign"):
        algorithm_of(key)


@pytest.mark.parametrize("name", ["none", "HS256", "RS256", "EdDSA", "x"])
def test_an_algorithm_that_is_not_listed_is_not_there(name: str) -> None:
    for algorithms in (Algorithms(["ES256", "x"]), Algorithms([])):
        with pytest.raises(UnsupportedAlgorithmError):
            algorithms.get_alg(name)


def test_a_part_is_read_without_padding() -> None:
    assert [decode_part(text) for text in ("", "AA", "AAA", "AAAA", "_-8")] == [
        *(b"", b"\0", b"\0\0", b"\0\0\0", b"\xff\xef"),
    ]
    for text in ("A", "é", "\ud800"):
        with pytest.raises(ValueError):  # noqa: PT011  binascii's or Python's own
            decode_part(text)
