"""Which client asks: by its name, by its secret, and never by guessing."""

from __future__ import annotations

from pathlib import Path

from flask.testing import FlaskClient

from authsvc.attempts import Curve
from authsvc.issuer.settings import DEFAULT_CLIENT, GRANTS, ClientSettings
from tests.parts.issuer import URL, House, MakeHouse
from tests.webhook.oauth2.asking import FORM, Post, basic, client_of, error_of, log_in


def test_a_client_with_a_secret_says_it_in_the_header_or_in_the_form(client: FlaskClient) -> None:
    # In the header both parts are form-encoded first (RFC 6749 2.3.1).
    header = basic("robot", "canary%3As%E2%82%ACcret")
    in_header = client.post("/oauth2/token", base_url=URL, data=FORM, headers=header)
    given = {"client_id": "robot", "client_secret": "canary:s€cret"}
    in_form = client.post("/oauth2/token", base_url=URL, data=FORM | given)

    assert (in_header.status_code, in_form.status_code) == (200, 200)


def test_every_wrong_client_is_the_same_answer(client: FlaskClient) -> None:
    answers = [
        client.post("/oauth2/token", base_url=URL, data=FORM | form, headers=headers)
        for form, headers in [
            ({}, {}),
            ({"client_id": "unknown"}, {}),
            ({"client_id": "unknown", "client_secret": ""}, {}),
            ({"client_id": "unknown", "client_secret": "x"}, {}),
            ({"client_id": "robot"}, {}),
            ({"client_id": "robot", "client_secret": "x"}, {}),
            ({"client_id": DEFAULT_CLIENT, "client_secret": "x"}, {}),
            ({}, basic("robot", "x")),
            ({}, basic("unknown", "x")),
            ({}, {"Authorization": "Basic é"}),
            ({}, {"Authorization": "Bearer x"}),
        ]
    ]

    assert {error_of(answer) for answer in answers} == {(401, "invalid_client")}
    assert len({answer.data for answer in answers}) == 1
    assert all(answer.headers["WWW-Authenticate"].startswith("Basic ") for answer in answers)


def test_guessing_at_a_clients_secret_is_slowed(make_house: MakeHouse, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("right\n")
    house = make_house(
        changes={
            "clients": (ClientSettings("robot", GRANTS, secret), ClientSettings(DEFAULT_CLIENT)),
            "address_attempts": Curve(free=3, first_wait=30, longest_wait=900, forget_after=3600),
        }
    )
    client = client_of(lambda: house.issuer)

    def ask(path: str, client_secret: str) -> int:
        form = FORM | {"client_id": "robot", "client_secret": client_secret, "token": "x"}
        return client.post(path, base_url=URL, data=form).status_code

    wrong = [ask("/oauth2/token", "x"), ask("/oauth2/revoke", "x"), ask("/oauth2/token", "x")]
    assert wrong == [401, 401, 401]
    assert [ask(path, "right") for path in ("/oauth2/token", "/oauth2/revoke")] == [429, 429]
    # People behind the same address log in as before.
    public = client.post("/oauth2/token", base_url=URL, data=FORM | {"client_id": DEFAULT_CLIENT})
    assert public.status_code == 200
    house.clock.advance(30)
    assert ask("/oauth2/token", "right") == 200


def test_a_secret_is_rotated_without_a_restart(
    client: FlaskClient, house: House, tmp_path: Path
) -> None:
    def ask(secret: str) -> int:
        header = basic("robot", secret)
        return client.post("/oauth2/token", base_url=URL, data=FORM, headers=header).status_code

    (file,) = house.issuer.clients.files
    (tmp_path / "secret").write_text("new\n")
    assert file.reload()

    assert [ask("canary%3As%E2%82%ACcret"), ask("new")] == [401, 200]
    (tmp_path / "secret").write_text("\n")
    assert not file.reload()
    assert ask("new") == 200


def test_two_ways_of_authentication_at_once_are_refused(client: FlaskClient) -> None:
    form = FORM | {"client_id": "robot", "client_secret": "x"}

    response = client.post("/oauth2/token", base_url=URL, data=form, headers=basic("robot", "x"))

    assert error_of(response) == (400, "invalid_request")


def test_a_client_uses_the_grants_it_has_only(post: Post) -> None:
    assert error_of(log_in(post, client_id="refresher")) == (400, "unauthorized_client")
