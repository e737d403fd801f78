"""The application: one configuration file, both carriers, and a life from start to close."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from structlog.testing import capture_logs

from authsvc.app import CONFIG_VARIABLE, Application, create_app
from authsvc.config import KIND, v1alpha1
from authsvc.errors import InvalidConfigurationError, InvalidPolicyError
from tests.parts.certificates import Authority
from tests.parts.logs import restored_logging
from tests.parts.waiting import eventually
from tests.webhook.carriers import Connection, Got, part, scope


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    with restored_logging():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tokens.csv").write_text("good,alice,1,devs\n")
    (tmp_path / "more.csv").write_text("more,bob,\n")
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy/team.csv").write_text("p, user:alice, *, pods, *, get, allow\n")
    return tmp_path


def configure(folder: Path, *tables: str, **sections: Any) -> Path:
    document = {
        "apiVersion": v1alpha1.API_VERSION,
        "kind": KIND,
        "authentication": {
            "authenticators": [
                {"name": table, "type": "StaticTokens", "staticTokens": {"file": f"{table}.csv"}}
                for table in tables
            ]
        },
        "authorization": {"policy": {"folder": "policy"}},
        "logging": {"level": "error", "decisions": "decisions.jsonl"},
        **sections,
    }
    file = folder / "authsvc.yaml"
    new = folder / "authsvc.yaml.new"
    new.write_text(yaml.safe_dump(document))
    new.rename(file)
    return file


@pytest.fixture
def application(folder: Path) -> Iterator[Application]:
    made = create_app(configure(folder, "tokens"))
    yield made
    made.runtime.close()


def by_asgi(application: Application, path: str, body: bytes = b"", method: str = "POST") -> Got:
    connection = Connection(part(body))

    async def ask() -> None:
        await application(scope(path, method), connection.receive, connection.send)

    asyncio.run(ask())
    return connection.got


def by_wsgi(application: Application, path: str, body: bytes = b"", method: str = "POST") -> Got:
    answer = application.test_client().open(path, method=method, data=body)
    return Got(answer.status_code, {}, answer.data)


CARRIERS = pytest.mark.parametrize("ask", [by_asgi, by_wsgi])


def token_review(token: str) -> bytes:
    return json.dumps({"kind": "TokenReview", "spec": {"token": token}}).encode()


def access_review(user: str) -> bytes:
    attributes = {"verb": "get", "resource": "pods"}
    spec = {"user": user, "resourceAttributes": attributes}
    return json.dumps({"kind": "SubjectAccessReview", "spec": spec}).encode()


def knows(application: Application, token: str) -> bool:
    got = by_asgi(application, "/authenticate", token_review(token))
    authenticated: bool = json.loads(got.body)["status"]["authenticated"]
    return authenticated


@CARRIERS
def test_both_reviews_are_answered(application: Application, ask: Any) -> None:
    who = ask(application, "/authenticate", token_review("good"))
    assert json.loads(who.body)["status"]["user"]["username"] == "alice"
    may = ask(application, "/authorize", access_review("alice"))
    assert json.loads(may.body)["status"]["allowed"]
    may_not = ask(application, "/authorize", access_review("bob"))
    assert json.loads(may_not.body)["status"] == {"allowed": False}


@CARRIERS
def test_a_path_that_is_nobodys_is_a_status_too(application: Application, ask: Any) -> None:
    got = ask(application, "/nope", method="GET")
    assert got.status == 404
    assert json.loads(got.body)["kind"] == "Status"


@CARRIERS
def test_a_crash_in_a_route_is_a_status_without_its_text(
    application: Application, ask: Any
) -> None:
    def crash() -> str:
        raise RuntimeError("canary")

    application.add_url_rule("/crash", view_func=crash)
    got = ask(application, "/crash", method="GET")
    assert got.status == 503
    assert json.loads(got.body)["kind"] == "Status"
    assert b"canary" not in got.body


def test_the_parts_that_live_in_files_are_listed(application: Application) -> None:
    got = by_asgi(application, "/readyz", method="GET")
    assert (got.status, got.body) == (200, b"ok")
    names = [check.name for check in application.runtime.checks()]
    assert names == ["configuration", "authenticator/tokens", "policy"]


def running_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.is_alive()}


@pytest.mark.parametrize(
    ("client", "names", "told"),
    [
        (("127.0.0.1", 1), None, True),
        (("192.0.2.7", 1), None, False),
        (None, None, False),
        (("192.0.2.7", 1), frozenset({"prober"}), True),
    ],
)
def test_why_a_part_is_not_well_is_told_here_and_to_holders_of_a_certificate(
    application: Application,
    folder: Path,
    client: tuple[str, int] | None,
    names: frozenset[str] | None,
    told: bool,
) -> None:
    (folder / "tokens.csv").write_text("broken\n")
    for file in application.runtime.service.files:
        file.reload()
    connection = Connection(part(b""))
    asked = scope("/readyz", "GET", client=client, query_string=b"verbose")
    asked["extensions"] = {"tls": {"client_cert_names": names}}

    asyncio.run(application(asked, connection.receive, connection.send))

    assert (b"tokens.csv:1" in connection.got.body) == told
    assert (b"tokens ok: reason withheld" in connection.got.body) != told


def test_nothing_runs_before_the_start_and_nothing_after_the_close(folder: Path) -> None:
    before = running_threads()
    application = create_app(configure(folder, "tokens"))
    assert running_threads() <= before
    application.runtime.start()
    application.runtime.start()
    assert running_threads() - before
    application.runtime.close()
    application.runtime.close()
    eventually(lambda: running_threads() <= before, "its threads have ended")


def test_a_master_that_never_started_has_nothing_to_close(folder: Path) -> None:
    create_app(configure(folder, "tokens")).runtime.close()


def test_what_was_decided_is_in_the_log_after_the_close(
    application: Application, folder: Path
) -> None:
    for _ in range(50):
        by_asgi(application, "/authorize", access_review("alice"))
    application.runtime.start()
    by_asgi(application, "/authenticate", token_review("good"))
    application.runtime.close()
    text = (folder / "decisions.jsonl").read_text()
    assert len(text.splitlines()) == 51
    assert "good" not in text


def test_a_changed_configuration_is_live_and_nothing_of_the_old_is_answered(
    application: Application, folder: Path
) -> None:
    application.runtime.start()
    assert knows(application, "good")
    configure(folder, "more")
    eventually(lambda: knows(application, "more"), "the new configuration is live")
    assert not knows(application, "good")


def test_a_bad_configuration_costs_nothing_and_is_said(
    application: Application, folder: Path
) -> None:
    application.runtime.start()
    file = configure(folder, "tokens", authorization={"mode": "enforce"})
    eventually(lambda: application.runtime.checks()[0].detail, "the error is known")
    assert knows(application, "good")
    got = by_wsgi(application, "/readyz?verbose", method="GET")
    assert got.status == 200
    assert b"[+]configuration ok: last good kept: authorization.mode: expected one of" in got.body
    configure(folder, "tokens")
    eventually(lambda: not application.runtime.checks()[0].detail, f"{file} is good again")


def test_a_new_service_that_can_not_start_does_not_replace_the_old(
    application: Application, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.runtime.start()

    def fail(_: object) -> None:
        raise OSError("no more threads")

    monkeypatch.setattr("authsvc.service.Service.start", fail)
    configure(folder, "more")
    eventually(lambda: application.runtime.checks()[0].detail, "the error is known")
    monkeypatch.undo()
    assert knows(application, "good")
    assert not knows(application, "more")


def test_while_configurations_change_no_review_fails(
    application: Application, folder: Path
) -> None:
    application.runtime.start()
    done = threading.Event()
    wrong: list[Got] = []

    def ask() -> None:
        while not done.is_set():
            got = by_wsgi(application, "/authorize", access_review("alice"))
            if got.status != 200 or not json.loads(got.body)["status"]["allowed"]:
                wrong.append(got)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        configure(folder, "tokens", "more")
        eventually(lambda: len(application.runtime.checks()) == 4, "the first is live")
        configure(folder, "tokens")
        eventually(lambda: len(application.runtime.checks()) == 3, "the second is live")
    finally:
        done.set()
        asking.join()
    assert wrong == []


def lifespan(application: Application) -> tuple[list[str], list[int]]:
    """Live as an ASGI server does; returns what was sent, and the threads at each receive."""
    sent: list[str] = []
    threads: list[int] = []

    async def run() -> None:
        messages = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> dict[str, Any]:
            threads.append(threading.active_count())
            return {"type": next(messages)}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message["type"])

        await application({"type": "lifespan"}, receive, send)

    asyncio.run(run())
    return sent, threads


def test_an_asgi_server_starts_and_closes_it_by_lifespan(folder: Path) -> None:
    sent, threads = lifespan(create_app(configure(folder, "tokens")))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert threads[1] > threads[0]


def test_an_asgi_server_is_told_of_a_start_that_fails(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = create_app(configure(folder, "tokens"))

    def fail() -> None:
        raise OSError("no more threads")

    monkeypatch.setattr(application.runtime, "start", fail)
    sent, _ = lifespan(application)
    assert sent == ["lifespan.startup.failed"]


def test_a_websocket_is_nothing_we_speak(application: Application) -> None:
    connection = Connection()

    async def connect() -> None:
        await application({"type": "websocket"}, connection.receive, connection.send)

    asyncio.run(connect())
    assert connection.sent == []


def test_the_file_is_named_by_the_environment_where_nobody_says_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, os.fspath(configure(folder, "tokens")))
    assert create_app().runtime.configuration.file == folder / "authsvc.yaml"
    monkeypatch.delenv(CONFIG_VARIABLE)
    with pytest.raises(InvalidConfigurationError, match=CONFIG_VARIABLE):
        create_app()


def test_a_start_refuses_what_a_reload_survives(folder: Path) -> None:
    file = configure(folder, "tokens")
    (folder / "tokens.csv").write_text("half a row\n")
    with pytest.raises(InvalidPolicyError, match=r"tokens\.csv:1"):
        create_app(file)


def test_with_tls_configured_a_carrier_without_certificates_is_refused(folder: Path) -> None:
    authority = Authority(folder)
    pair = authority.issue("server", "localhost")
    tls = {
        "certFile": str(pair.certificate),
        "keyFile": str(pair.key),
        "clientCAFile": str(authority.certificate),
    }
    application = create_app(configure(folder, "tokens", server={"tls": tls}))
    try:
        for ask in (by_asgi, by_wsgi):
            assert ask(application, "/authenticate", token_review("good")).status == 401
        (told,) = [check for check in application.runtime.checks() if check.name == "certificates"]
        assert told.ready
        assert "the server certificate ends on" in told.detail  # tests' own live for a day
    finally:
        application.runtime.close()


def test_a_start_logs_what_may_surprise(folder: Path) -> None:
    table = folder / "tokens.csv"
    table.chmod(0o644)
    warned = {"level": "warning", "decisions": "off"}

    def run(*tables: str, **sections: Any) -> None:
        runtime = create_app(configure(folder, *tables, logging=warned, **sections)).runtime
        with capture_logs() as caught:
            runtime.start()
            runtime.close()
        logs.extend(caught)

    logs: list[Any] = []
    run("tokens")
    run(authorization={})

    events = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [entry["event"] for entry in events] == [
        "secret_file_mode_lets_everybody_read",
        "nothing_is_configured",
    ]
    assert events[0]["file"] == str(table)
