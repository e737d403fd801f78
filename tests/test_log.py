"""The service's own log: one form whoever writes, and nothing of what an exception quotes."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from authsvc import log
from authsvc.errors import BackendError
from tests.parts.logs import restored_logging

SECRET = "canary-3f9d"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    with restored_logging():
        yield


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_a_line_is_json_with_time_level_and_context(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    structlog.get_logger().info("reloaded", part="policy")
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["part"]) == ("reloaded", "info", "policy")
    assert str(line["timestamp"]).endswith("Z")


def test_below_the_level_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("warning", "json")
    structlog.get_logger().info("quiet")
    logging.getLogger("gunicorn.error").info("quiet")
    assert lines(capsys) == []


def test_libraries_come_out_in_the_same_form_from_warning_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.configure("debug", "json")
    logging.getLogger("ldap3").debug("bind with password %s", SECRET)
    logging.getLogger("ldap3").warning("a server is down")
    (line,) = lines(capsys)
    assert (line["event"], line["level"]) == ("a server is down", "warning")


def test_the_console_form_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "console")
    structlog.get_logger().info("reloaded", part="policy")
    text = capsys.readouterr().err
    assert "reloaded" in text
    assert "part=policy" in text


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("writer", ["ours", "a library's"])
def test_an_exception_is_shown_by_its_places_and_never_by_what_it_quotes(
    form: str, writer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure("debug", form)

    def choke(token: str) -> None:
        try:
            int(token)
        except ValueError as error:
            raise RuntimeError(f"cannot read {token}") from error

    try:
        choke(SECRET)
    except RuntimeError:
        if writer == "ours":
            structlog.get_logger().exception("crashed")
        else:
            logging.getLogger("asyncio").exception("crashed")
    text = capsys.readouterr().err
    assert SECRET not in text
    assert "builtins.RuntimeError" in text
    assert "builtins.ValueError" in text
    assert "in choke" in text


def test_the_text_of_an_error_of_ours_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", "json")
    error = BackendError("the directory does not answer")
    structlog.get_logger().error("failed", exc_info=error)
    assert "the directory does not answer" in str(lines(capsys)[0]["exception"])


def test_asked_for_an_exception_where_there_is_none_a_line_is_written_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.configure("info", "json")
    structlog.get_logger().error("odd", exc_info=True)
    assert [line["event"] for line in lines(capsys)] == ["odd"]
