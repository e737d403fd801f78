"""Access tokens: what is signed, and what is not taken."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from authsvc.interfaces import UserInfo
from authsvc.issuer.rotation import Algorithm, rotate
from authsvc.issuer.tokens import AccessToken
from tests.parts.issuer import URL, Clock, House, MakeHouse

USER = UserInfo("alice", "1001", ("ops", "team-a"))


def _token(house: House, **changes: object) -> AccessToken:
    now = int(house.clock())
    token = AccessToken(USER, "kubernetes", "cli", "s1", "table", now, now + 600)
    return token._replace(**changes)  # type: ignore[arg-type]  # fields by name


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _parts(token: str) -> tuple[dict[str, object], dict[str, object], str]:
    head, payload, signature = token.split(".")
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, payload))
    return header, claims, signature


def test_a_token_says_what_the_specifications_want(house: House) -> None:
    header, claims, _ = _parts(house.issuer.tokens.sign(_token(house)))

    now = int(house.clock())
    assert header == {
        "typ": "at+jwt",
        "alg": "ES256",
        "kid": house.issuer.keys.current.signing(now).kid,
    }
    assert len(str(claims.pop("jti"))) >= 20
    assert claims == {
        "iss": URL,
        "aud": "kubernetes",
        "sub": "alice",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        "client_id": "cli",
        "sid": "s1",
        "uid": "1001",
        "idp": "table",
        "groups": ["ops", "team-a"],
    }


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_what_was_signed_is_verified(
    make_house: MakeHouse, tmp_path: Path, algorithm: Algorithm
) -> None:
    now = Clock()()
    rotate(tmp_path / "keys", algorithm=algorithm, activate_in=0, overlap=900, now=now)
    house = make_house()
    token = _token(house)

    signed = house.issuer.tokens.sign(token)

    assert _parts(signed)[0]["alg"] == algorithm
    assert house.issuer.tokens.verify(signed) == token


def test_what_is_not_known_of_a_user_is_not_said(house: House) -> None:
    token = _token(house, user=UserInfo("alice"), directory="")

    signed = house.issuer.tokens.sign(token)

    assert _parts(signed)[1].keys().isdisjoint({"uid", "idp"})
    assert house.issuer.tokens.verify(signed) == token


def test_a_token_says_what_extra_the_user_has(house: House) -> None:
    token = _token(house, user=USER._replace(extra={"example.com/é": ("true", "b")}))

    signed = house.issuer.tokens.sign(token)

    assert _parts(signed)[1]["extra"] == {"example.com/é": ["true", "b"]}
    assert house.issuer.tokens.verify(signed) == token


def test_groups_may_be_left_out(house: House) -> None:
    token = _token(house, user=USER._replace(extra={"example.com/a": ("b",)}))
    signed = house.issuer.tokens.sign(token, with_groups=False)

    _, claims, _ = _parts(signed)

    assert not {"groups", "extra"} & claims.keys()
    verified = house.issuer.tokens.verify(signed)
    assert verified is not None
    assert (verified.user.groups, verified.user.extra) == ((), {})


def test_a_token_is_good_until_its_end_and_the_skew_of_clocks(house: House) -> None:
    signed = house.issuer.tokens.sign(_token(house))

    house.clock.advance(600 + 29)
    assert house.issuer.tokens.verify(signed) is not None
    house.clock.advance(1)
    assert house.issuer.tokens.verify(signed) is None


def test_a_token_of_a_clock_that_is_far_ahead_is_not_good_yet(house: House) -> None:
    signed = house.issuer.tokens.sign(_token(house, issued_at=int(house.clock()) + 31))

    assert house.issuer.tokens.verify(signed) is None


def test_a_token_for_an_audience_that_is_not_ours_is_nobodys(house: House) -> None:
    assert house.issuer.tokens.verify(house.issuer.tokens.sign(_token(house, audience="x"))) is None


def test_both_keys_verify_during_the_overlap_of_a_rotation(house: House) -> None:
    before = house.issuer.tokens.sign(_token(house))
    house.rotate(activate_in=100)
    house.issuer.keys.reload()
    house.clock.advance(100)

    after = house.issuer.tokens.sign(_token(house))

    assert _parts(before)[0]["kid"] != _parts(after)[0]["kid"]
    assert house.issuer.tokens.verify(before) is not None
    assert house.issuer.tokens.verify(after) is not None


def test_a_token_of_another_issuer_with_the_same_key_is_nobodys(make_house: MakeHouse) -> None:
    house = make_house()
    signed = house.issuer.tokens.sign(_token(house))
    other = make_house(changes={"url": URL + "/"})

    assert other.issuer.tokens.verify(signed) is None


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "iat", "nbf", "exp", "jti", "sid"])
def test_a_token_without_a_claim_that_all_have_is_nobodys(house: House, claim: str) -> None:
    key = house.issuer.keys.current.signing(house.clock())
    header, claims, _ = _parts(house.issuer.tokens.sign(_token(house)))
    del claims[claim]

    signed = jwt.encode(header, claims, key.key, algorithms=[key.algorithm])

    assert house.issuer.tokens.verify(signed) is None


@pytest.mark.parametrize(
    "change",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "ES384"},
        {"kid": "another"},
        {"kid": None},
        {"kid": ["x"]},
        {"typ": "JWT"},
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
    ],
    ids=str,
)
def test_a_header_that_is_not_ours_is_not_taken(house: House, change: dict[str, object]) -> None:
    token = house.issuer.tokens.sign(_token(house))
    header, _, signature = _parts(token)
    payload = token.split(".")[1]

    forged = f"{_part(json.dumps(header | change).encode())}.{payload}.{signature}"

    assert house.issuer.tokens.verify(forged) is None


def test_a_token_signed_with_the_public_key_as_a_secret_is_nobodys(house: House) -> None:
    key = house.issuer.keys.current.signing(house.clock())
    header, claims, _ = _parts(house.issuer.tokens.sign(_token(house)))
    public = OctKey.import_key(key.key.as_pem(private=False).replace(b"-----", b""))

    forged = jwt.encode(header | {"alg": "HS256"}, claims, public, algorithms=["HS256"])

    assert house.issuer.tokens.verify(forged) is None


def test_a_key_is_good_for_its_own_algorithm_and_no_other(
    make_house: MakeHouse, tmp_path: Path
) -> None:
    file = tmp_path / "keys" / "own.pem"
    file.parent.mkdir(mode=0o700)
    file.write_bytes(RSAKey.generate_key(2048).as_pem(private=True))
    file.chmod(0o600)
    house = make_house()
    key = house.issuer.keys.current.signing(house.clock())
    signed = house.issuer.tokens.sign(_token(house))
    header, claims, _ = _parts(signed)

    other = jwt.encode(header | {"alg": "PS256"}, claims, key.key, algorithms=["PS256"])

    assert header["alg"] == "RS256"
    assert house.issuer.tokens.verify(signed) is not None
    assert house.issuer.tokens.verify(other) is None


def test_a_token_that_brings_its_own_key_is_nobodys(house: House) -> None:
    header, claims, _ = _parts(house.issuer.tokens.sign(_token(house)))
    own = ECKey.generate_key("P-256")

    forged = jwt.encode(
        header | {"jwk": own.as_dict(private=False)}, claims, own, algorithms=["ES256"]
    )

    assert house.issuer.tokens.verify(forged) is None


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b.c", "x", "é.é.é", "e30.e30.", "e30", "W10.e30.AA", "\ud800.a.b"]
)
def test_what_is_no_token_is_nobodys(house: House, token: str) -> None:
    assert house.issuer.tokens.verify(token) is None


def test_a_header_nested_deeper_than_is_read_is_nobodys(house: House) -> None:
    header, _, _ = _parts(house.issuer.tokens.sign(_token(house)))
    deep = json.dumps(header)[:-1].encode() + b', "x": ' + b"[" * 11_000

    assert house.issuer.tokens.verify(f"{_part(deep)}.e30.AA") is None


def test_claims_nested_deeper_than_are_read_are_nobodys(house: House) -> None:
    key = house.issuer.keys.current.signing(house.clock())
    header = {"typ": "at+jwt", "alg": key.algorithm, "kid": key.kid}
    deep = jws.serialize_compact(header, b"[" * 11_000, key.key, algorithms=[key.algorithm])

    assert house.issuer.tokens.verify(deep) is None
