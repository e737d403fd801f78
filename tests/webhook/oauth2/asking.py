"""A client of the token endpoint: what it sends, and what it reads in an answer."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from authsvc.interfaces import Identity, UserInfo
from authsvc.issuer.issuer import Issuer
from authsvc.webhook.oauth2 import blueprint
from tests.parts.issuer import PASSWORD

Post = Callable[..., TestResponse]
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
FORM = {"grant_type": "password", "username": "alice", "password": PASSWORD}


class Provider:
    """An OpenID provider's tokens, as an authenticator of this service knows them."""

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        del audiences
        return Identity(UserInfo("oidc:carol")) if token == "canary-id-token" else None


def client_of(current: Callable[[], Issuer | None]) -> FlaskClient:
    app = Flask("test")
    app.register_blueprint(blueprint(current))
    return app.test_client()


def log_in(post: Post, **changes: str) -> TestResponse:
    return post(**{"grant_type": "password", "username": "alice", "password": PASSWORD} | changes)


def error_of(response: TestResponse) -> tuple[int, str]:
    assert response.headers["Cache-Control"] == "no-store"
    assert response.content_type == "application/json"
    return response.status_code, response.get_json()["error"]


def basic(client_id: str, secret: str) -> dict[str, str]:
    pair = f"{client_id}:{secret}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}
