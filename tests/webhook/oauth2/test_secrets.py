"""No password, token or client's secret is in any log or answer."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest
import structlog
from flask.testing import FlaskClient

from authsvc.issuer.settings import TOKEN_EXCHANGE
from tests.parts.issuer import PASSWORD, URL, House
from tests.webhook.oauth2.asking import FORM, ID_TOKEN, Post, basic, log_in


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """Catch every log of every library, at the most verbose level there is."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root, before = logging.getLogger(), structlog.get_config()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.NOTSET)
    for name in ("authlib", "werkzeug", "flask", "joserfc"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(written))
    yield written
    root.removeHandler(handler)
    root.setLevel(level)
    structlog.configure(**before)


def test_no_secret_is_in_any_log_or_answer(
    post: Post, client: FlaskClient, house: House, everything_logged: io.StringIO
) -> None:
    tokens = log_in(post).get_json()
    refreshed = post(grant_type="refresh_token", refresh_token=tokens["refresh_token"]).get_json()
    exchanged = post(
        grant_type=TOKEN_EXCHANGE, subject_token="canary-id-token", subject_token_type=ID_TOKEN
    ).get_json()
    house.clock.advance(60)
    answers = [
        post(grant_type="refresh_token", refresh_token=tokens["refresh_token"]),
        log_in(post, password="canary-wrong"),
        log_in(post, username=PASSWORD, password="canary-wrong"),
        client.post("/oauth2/token", base_url=URL, data=FORM, headers=basic("robot", "canary-x")),
        post(grant_type=TOKEN_EXCHANGE, subject_token="canary-id-x", subject_token_type=ID_TOKEN),
        post("/oauth2/revoke", token=exchanged["access_token"]),
    ]
    house.table.down = True
    answers.append(log_in(post))

    logged = everything_logged.getvalue()
    said = logged + "".join(answer.text + str(answer.headers) for answer in answers)

    for event in ("session_opened", "refresh_token_reused_session_ended", "login_failed"):
        assert event in logged
    assert "canary" not in said
    for answer in (tokens, refreshed, exchanged):
        for kind in ("access_token", "refresh_token"):
            if kind in answer:
                assert answer[kind] not in said
                assert answer[kind].rpartition(".")[2] not in said
