"""What is read from a token answer."""

from __future__ import annotations

import time

import pytest

from authsvc.client.errors import ClientError
from authsvc.client.tokens import check_id_token, claims, parse
from tests.client.servers import jwt

ISSUER = "https://issuer.test"


def test_the_id_token_is_sent_if_there_is_one_and_the_setting_overrules() -> None:
    answer = {"access_token": "opaque", "id_token": jwt(sub="a"), "token_type": "bearer"}

    assert parse(answer, "").token == answer["id_token"]
    assert parse(answer, "access_token").token == "opaque"
    assert parse({"access_token": "opaque", "token_type": "Bearer"}, "").token == "opaque"
    with pytest.raises(ClientError, match="answer holds no id_token: check --token-type"):
        parse({"access_token": "opaque"}, "id_token")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "x", "token_type": "mac"},
        {"access_token": "line\nbreak"},
        {"access_token": "ümlaut"},
    ],
)
def test_an_answer_without_a_token_to_send_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(ClientError):
        parse(answer, "")


@pytest.mark.parametrize("clock_error", [-3600, 0, 3600])
def test_a_clock_off_by_an_hour_changes_nothing(clock_error: int) -> None:
    now = time.time()
    theirs = now + clock_error
    token = jwt(sub="a", iat=theirs, exp=theirs + 600)

    assert parse({"id_token": token}, "").good_until(now) == pytest.approx(now + 570)


@pytest.mark.parametrize(
    ("expires_in", "good_for"),
    [
        (600, 570.0),
        ("600", 570.0),
        (40, 30.0),
        (0, 0.0),
        (-5, 0.0),
        (None, 270.0),
        (float("nan"), 270.0),
        (True, 270.0),
        ("soon", 270.0),
        (1e300, 270.0),
        (1e11, 315_359_970.0),
    ],
)
def test_a_token_is_used_until_a_margin_before_its_end(expires_in: object, good_for: float) -> None:
    tokens = parse({"access_token": "opaque", "expires_in": expires_in}, "")

    assert tokens.good_until(1000.0) == pytest.approx(1000.0 + good_for)


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "a.e30.c.d", "a.W10.c", "a.!!.c"])
def test_what_is_no_jwt_has_no_claims(token: str) -> None:
    assert claims(token) == {}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"nonce": "other"}, "does not belong to this login"),
        ({"nonce": None}, "does not belong to this login"),
        ({"iss": "https://evil.test"}, "of another issuer, 'https://evil.test'"),
        ({"aud": "other"}, "for another client"),
        ({"aud": ["other"]}, "for another client"),
        ({"aud": None}, "for another client"),
    ],
)
def test_an_id_token_of_another_login_is_refused(changed: dict[str, object], message: str) -> None:
    good: dict[str, object] = {"iss": ISSUER, "aud": ["kubectl"], "nonce": "n", "sub": "a"}
    check_id_token(parse({"id_token": jwt(**good)}, ""), ISSUER, "kubectl", "n")

    with pytest.raises(ClientError, match=message):
        check_id_token(parse({"id_token": jwt(**good | changed)}, ""), ISSUER, "kubectl", "n")


def test_a_name_is_shown_without_what_would_drive_the_terminal() -> None:
    assert parse({"id_token": jwt(name="\x1b[2Jalice\n")}, "").username == "[2Jalice"
    assert parse({"access_token": "opaque"}, "").username == "(unknown)"
