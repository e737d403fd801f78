"""A login, from the password to the review, against the service as its users run it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.parts.issuer import PASSWORD
from tests.parts.login_server import LoginServer, StartLogin
from tests.parts.redis import RedisServer
from tests.parts.waiting import eventually

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


def test_a_login_is_reviewed_with_the_groups_of_now_and_ends_with_the_user(
    start_login: StartLogin,
) -> None:
    service = start_login()

    token = service.log_in().json()["access_token"]
    assert service.groups(token) == ["ops", "team-a"]

    service.people({"alice": "night-shift"})
    eventually(lambda: service.groups(token) == ["night-shift"], "the groups of now", 30)
    service.people({})
    eventually(lambda: service.groups(token) is None, "alice is out", 30)


def test_a_session_is_listed_and_revoked_from_the_command_line(start_login: StartLogin) -> None:
    service = start_login(ttl="10m")  # what is remembered of a token does not outlive its session
    tokens = service.log_in().json()
    for _ in range(8):  # in both workers
        assert service.groups(tokens["access_token"]) == ["ops", "team-a"]

    listed = json.loads(service.command("session", "list", "-o", "json").stdout)
    assert [(each["user"], each["address"]) for each in listed] == [("alice", "127.0.0.1")]
    ended = service.command("session", "revoke", "--user", "alice")

    assert ended.returncode == 0
    refused = service.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert refused.json()["error"] == "invalid_grant"
    eventually(lambda: service.groups(tokens["access_token"]) is None, "the token is out", 30)


def test_sessions_outlive_a_restart_and_a_rotation_of_keys(start_login: StartLogin) -> None:
    service = start_login()
    tokens = service.log_in().json()
    service.server.stop()
    rotated = service.command("keys", "rotate", "--activate-in", "0s", "--algorithm", "EdDSA")
    assert rotated.returncode == 0
    service.server.start()

    refreshed = service.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    assert refreshed.status == 200
    for token in (tokens["access_token"], refreshed.json()["access_token"]):
        assert service.groups(token) == ["ops", "team-a"]


def test_guessing_is_slowed_across_workers(start_login: StartLogin) -> None:
    service = start_login()

    answers = [service.log_in("wrong").status for _ in range(6)]

    assert answers == [400, 400, 400, 429, 429, 429]
    assert int(service.log_in().headers["Retry-After"]) <= 30


def test_what_an_api_server_reads_of_the_issuer_is_there_without_a_certificate(
    start_login: StartLogin,
) -> None:
    service = start_login()

    document = service.server.get("/.well-known/openid-configuration").json()

    assert document["issuer"] == f"https://127.0.0.1:{service.server.port}"
    path = document["jwks_uri"].removeprefix(document["issuer"])
    assert len(service.server.get(path).json()["keys"]) == 1


def test_redis_goes_away_and_comes_back(start_login: StartLogin, tmp_path: Path) -> None:
    redis = RedisServer(tmp_path)
    redis.start()
    service = start_login({"type": "Redis", "redis": {"url": redis.url}})
    tokens = service.log_in().json()
    assert service.groups(tokens["access_token"]) is not None

    eventually(lambda: _store_is(service, "1.0"), "the metric says up", 30)
    redis.stop()
    down = service.log_in()
    still = service.groups(tokens["access_token"])
    eventually(lambda: _store_is(service, "0.0"), "the metric says down", 30)
    redis.start()
    again = service.ask(grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    assert (down.status, down.json()["error"]) == (503, "temporarily_unavailable")
    assert still == ["ops", "team-a"]
    assert again.status == 200
    service.server.stop()
    redis.stop()


def _store_is(service: LoginServer, value: str) -> bool:
    return f'authsvc_store_up{{type="Redis"}} {value}' in service.server.get("/metrics").text


def test_no_secret_is_in_anything_that_the_service_says(start_login: StartLogin) -> None:
    service = start_login()
    tokens = service.log_in().json()
    exchanged = service.ask(
        grant_type=TOKEN_EXCHANGE,
        subject_token="canary-static",
        subject_token_type="urn:ietf:params:oauth:token-type:access_token",
    )
    assert service.groups(exchanged.json()["access_token"]) == ["ci"]
    said = [
        service.log_in("canary-wrong").text,
        service.ask(grant_type="password", username=PASSWORD, password="canary-x").text,
        service.ask("/oauth2/token?password=canary-url", grant_type="password").text,
        service.ask("/oauth2/revoke", token=tokens["refresh_token"]).text,
        service.server.get("/metrics").text,
        service.server.get("/readyz?verbose").text,
    ]

    service.server.stop()
    said += [service.server.log, service.server.decision_log.read_text()]

    assert "session_opened" in service.server.log
    for secret in (
        "canary",
        tokens["refresh_token"],
        tokens["access_token"].rpartition(".")[2],
        exchanged.json()["access_token"].rpartition(".")[2],
    ):
        assert secret not in "".join(said)
