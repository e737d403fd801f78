"""What each grant of the token endpoint is answered with, and what where it cannot be."""

from __future__ import annotations

from authsvc.issuer.settings import TOKEN_EXCHANGE
from tests.parts.issuer import House
from tests.webhook.oauth2.asking import ID_TOKEN, Post, error_of, log_in


def test_a_password_is_answered_as_rfc_6749_says(post: Post) -> None:
    response = log_in(post, scope="openid offline_access")

    assert response.status_code == 200
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Pragma"] == "no-cache"
    answer = response.get_json()
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 600
    assert answer["refresh_token"].startswith("authsvc_rt_")
    assert set(answer) == {"access_token", "token_type", "expires_in", "refresh_token"}


def test_a_refresh_token_is_answered_with_both_tokens_anew(post: Post) -> None:
    first = log_in(post).get_json()

    second = post(grant_type="refresh_token", refresh_token=first["refresh_token"]).get_json()

    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]


def test_a_token_of_a_provider_is_exchanged_as_rfc_8693_says(post: Post) -> None:
    response = post(
        grant_type=TOKEN_EXCHANGE, subject_token="canary-id-token", subject_token_type=ID_TOKEN
    )

    assert response.status_code == 200
    answer = response.get_json()
    assert answer["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert "refresh_token" not in answer


def test_a_wrong_password_and_an_unknown_user_are_the_same_answer(post: Post) -> None:
    wrong, unknown = log_in(post, password="x"), log_in(post, username="x")

    assert error_of(wrong) == (400, "invalid_grant")
    assert wrong.data == unknown.data
    assert wrong.status_code == unknown.status_code


def test_too_many_wrong_passwords_are_told_when_to_come_back(post: Post, house: House) -> None:
    for _ in range(3):
        log_in(post, password="x")
    house.clock.advance(0.5)

    response = log_in(post)

    assert error_of(response) == (429, "slow_down")
    assert response.headers["Retry-After"] == "30"
    assert "30 seconds" in response.get_json()["error_description"]


def test_a_user_of_too_many_groups_is_told_what_an_administrator_can_do(
    post: Post, house: House
) -> None:
    row, _, _ = house.table.rows["alice"].rpartition(":")
    house.table.rows["alice"] = f'{row}:"{",".join("g" * 90 + str(each) for each in range(200))}"'
    house.table.write()

    response = log_in(post)

    assert error_of(response) == (400, "invalid_request")
    assert "issuer.tokens.groups: false" in response.get_json()["error_description"]


def test_a_directory_that_is_down_is_temporary(post: Post, house: House) -> None:
    house.table.down = True

    response = log_in(post)

    assert error_of(response) == (503, "temporarily_unavailable")
    assert "Retry-After" not in response.headers
    assert "table" not in response.text


def test_a_store_that_is_down_is_temporary_for_every_endpoint(post: Post, house: House) -> None:
    token = log_in(post).get_json()["refresh_token"]
    house.opened.close()
    file = house.folder / "store.db"
    file.rename(house.folder / "away")
    file.mkdir()

    for response in (
        log_in(post),
        post(grant_type="refresh_token", refresh_token=token),
        post("/oauth2/revoke", token=token),
    ):
        assert error_of(response) == (503, "temporarily_unavailable")
