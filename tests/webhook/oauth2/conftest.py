"""An issuer with three clients behind the endpoints, and whoever posts to them."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from authsvc.issuer.settings import DEFAULT_CLIENT, GRANTS, REFRESH_TOKEN, ClientSettings
from tests.parts.issuer import URL, House, MakeHouse
from tests.webhook.oauth2.asking import Post, Provider, client_of


@pytest.fixture
def house(make_house: MakeHouse, tmp_path: Path) -> House:
    secret = tmp_path / "secret"
    secret.write_text("canary:s€cret\n")
    clients = (
        ClientSettings(DEFAULT_CLIENT),
        ClientSettings("robot", GRANTS, secret),
        ClientSettings("refresher", frozenset({REFRESH_TOKEN})),
    )
    proxies = (ip_network("10.0.0.0/8"),)
    return make_house(
        exchangeable=Provider(), changes={"clients": clients, "trusted_proxies": proxies}
    )


@pytest.fixture
def client(house: House) -> FlaskClient:
    return client_of(lambda: house.issuer)


@pytest.fixture
def post(client: FlaskClient) -> Post:
    def post(path: str = "/oauth2/token", **form: str) -> TestResponse:
        return client.post(path, base_url=URL, data={"client_id": DEFAULT_CLIENT} | form)

    return post
