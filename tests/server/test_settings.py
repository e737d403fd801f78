"""What gunicorn is told for a configuration."""

from __future__ import annotations

import gc
import ipaddress
from pathlib import Path
from typing import Any

import pytest
from gunicorn.config import Config

from authsvc.config import KIND, load, v1alpha1
from authsvc.server.common import CLOSING_SECONDS
from authsvc.server.settings import gunicorn_settings


def settings_of(tmp_path: Path, server: str = "{}") -> dict[str, Any]:
    file = tmp_path / "authsvc.yaml"
    file.write_text(f"apiVersion: {v1alpha1.API_VERSION}\nkind: {KIND}\nserver: {server}\n")
    return gunicorn_settings(load(file))


def test_gunicorn_knows_every_setting_and_takes_every_value(tmp_path: Path) -> None:
    config = Config()
    for name, value in settings_of(tmp_path).items():
        config.set(name, value)
    assert config.worker_class_str == "authsvc.server.worker.Worker"
    assert config.workers == 2


def test_reviews_listen_first_and_probes_second(tmp_path: Path) -> None:
    assert settings_of(tmp_path)["bind"] == ["127.0.0.1:8443"]
    probes = settings_of(tmp_path, "{bind: '127.0.0.1:1', probes: {bind: '0.0.0.0:2'}}")
    assert probes["bind"] == ["127.0.0.1:1", "0.0.0.0:2"]


@pytest.mark.parametrize(("keep_alive", "seconds"), [("120s", 120), ("90500ms", 91), ("2m", 120)])
def test_a_kept_connection_outlasts_the_api_servers_90_seconds(
    tmp_path: Path, keep_alive: str, seconds: int
) -> None:
    assert settings_of(tmp_path, f"{{keepAlive: {keep_alive}}}")["keepalive"] == seconds


@pytest.mark.parametrize(("stop", "seconds"), [("10s", 10), ("200ms", 1)])
def test_the_master_kills_only_after_a_worker_had_time_to_end(
    tmp_path: Path, stop: str, seconds: int
) -> None:
    told = settings_of(tmp_path, f"{{stopTimeout: {stop}}}")
    assert told["graceful_timeout"] == seconds + CLOSING_SECONDS


def test_no_header_of_a_client_says_who_or_where_it_is(tmp_path: Path) -> None:
    config = Config()
    config.set("forwarded_allow_ips", settings_of(tmp_path)["forwarded_allow_ips"])
    trusted = [ipaddress.ip_network(each) for each in config.forwarded_allow_ips if each]
    assert trusted == []


def test_what_is_loaded_before_a_fork_is_left_alone_and_what_was_replaced_is_not(
    tmp_path: Path,
) -> None:
    before_a_fork = settings_of(tmp_path)["pre_fork"]
    gone = []

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            gone.append(True)

    replaced = Cycle()
    try:
        before_a_fork(None, None)
        assert gc.get_freeze_count() > 0
        del replaced
        before_a_fork(None, None)
        assert gone == [True]
    finally:
        gc.unfreeze()
