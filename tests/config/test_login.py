"""``issuer`` and ``store``: the examples load, and faults are said with their places."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from authsvc.attempts import Curve
from authsvc.bootstrap import initialise
from authsvc.config import load
from authsvc.errors import InvalidConfigurationError
from authsvc.issuer.rotation import rotate
from authsvc.issuer.settings import TOKEN_EXCHANGE, ClientSettings
from authsvc.service import build
from authsvc.store.redis import RedisSettings
from authsvc.store.sqlite import SQLiteSettings
from tests.parts.issuer import cheap_hash

EXAMPLES = Path(__file__).parents[2] / "config/login"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    initialise(tmp_path)
    (tmp_path / "passwords").write_text(f"alice:{cheap_hash('x')}:1:ops\n")
    for name in ("redis-password", "ci-secret"):
        (tmp_path / name).write_text("canary\n")
    rotate(tmp_path / "keys", algorithm="ES256", activate_in=0, overlap=660, now=1)
    return tmp_path


def _use(example: Path, folder: Path) -> Path:
    file = folder / "authsvc.yaml"
    shutil.copy(example, file)
    return file


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_make_a_service(folder: Path, example: Path) -> None:
    service = build(load(_use(example, folder)))

    assert service.issuer is not None
    assert [file.part for file in service.files].count("issuer-keys") == 1


def test_the_long_example_spells_out_the_defaults_and_no_others(folder: Path) -> None:
    short = load(_use(EXAMPLES / "authsvc.yaml", folder))
    long = load(_use(EXAMPLES / "several-machines.yaml", folder))
    assert short.issuing is not None
    assert long.issuing is not None

    for name in (
        *("audience", "groups_in_token", "access_token_ttl", "session_idle", "session_length"),
        *("refresh_grace", "clock_skew", "facts_ttl", "facts_stale", "address_attempts"),
    ):
        assert getattr(short.issuing.issuer, name) == getattr(long.issuing.issuer, name), name
    assert short.authentication.password_attempts == Curve()
    assert long.authentication.password_attempts == Curve()


def test_the_settings_are_as_written(folder: Path) -> None:
    configuration = load(_use(EXAMPLES / "several-machines.yaml", folder))

    assert configuration.store == RedisSettings(
        "rediss://redis.example.org:6380/0",
        "authsvc",
        folder / "redis-password",
        folder / "pki/ca.crt",
    )
    assert configuration.issuing is not None
    assert configuration.issuing.exchange == ("robots",)
    assert configuration.issuing.issuer.clients[1] == ClientSettings(
        "ci", frozenset({TOKEN_EXCHANGE}), folder / "ci-secret"
    )


def test_a_store_may_be_configured_for_its_counters_alone(folder: Path) -> None:
    file = folder / "authsvc.yaml"
    document = yaml.safe_load(file.read_text())
    document["store"] = {"type": "SQLite", "sqlite": {"file": "store.db"}}
    file.write_text(yaml.safe_dump(document))

    service = build(load(file))

    assert service.configuration.store == SQLiteSettings(folder / "store.db")
    assert service.issuer is None


def _errors(folder: Path, changes: dict[str, Any]) -> list[str]:
    document = yaml.safe_load((EXAMPLES / "authsvc.yaml").read_text())
    file = folder / "authsvc.yaml"
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = document
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(InvalidConfigurationError) as refused:
        load(file)
    return [str(error) for error in refused.value.errors]


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ("issuer.url", "http://x.example.org", "issuer.url: expected https://host"),
        ("issuer.url", "https://x.example.org/", "issuer.url: must end with the host or port"),
        ("issuer.url", "https://x.example.org/a?b", "issuer.url: must end with the host or port"),
        ("issuer.url", None, "issuer.url: required"),
        ("issuer.keys", None, "issuer.keys: required"),
        ("issuer.keys", "passwords", "issuer.keys: "),
        ("issuer.passwords", [], "issuer.passwords: nobody could log in"),
        ("issuer.passwords", ["x"], "issuer.passwords[0]: no authenticator is called 'x'"),
        (
            "issuer.passwords",
            ["people", "issued"],
            "issuer.passwords[1]: 'issued' is of type Issued, which checks no passwords",
        ),
        (
            "issuer.exchange",
            ["people"],
            "issuer.exchange[0]: 'people' is of type StaticPasswords, whose tokens",
        ),
        ("issuer.clients", [], "issuer.clients: without a client"),
        (
            "issuer.clients",
            [{"id": "a"}, {"id": "a"}],
            "issuer.clients[1].id: 'a' is given twice",
        ),
        ("issuer.clients", [{"id": "a", "secretFile": "gone"}], "issuer.clients[0].secretFile: "),
        ("issuer.clients", [{"id": "a b"}], "issuer.clients[0].id: "),
        ("issuer.tokens.ttl", "30s", "issuer.tokens.ttl: must be between 1m and 24h"),
        ("issuer.tokens.clockSkew", "10m", "issuer.tokens.clockSkew: must be at most 5m"),
        ("issuer.sessions.idle", "5m", "issuer.sessions.idle: must not be under tokens.ttl"),
        ("issuer.sessions.length", "1h", "issuer.sessions.idle: must not be under tokens.ttl"),
        ("issuer.sessions.refreshGrace", "1h", "issuer.sessions.refreshGrace: must not be over"),
        ("issuer.directory.ttl", "0s", "issuer.directory.ttl: must be over 0s"),
        ("issuer.trustedProxies", ["10.0.0.1/8"], "issuer.trustedProxies[0]: expected an address"),
        ("issuer.addressAttempts.free", 0, "issuer.addressAttempts.free: "),
        (
            "authentication.passwordAttempts.firstWait",
            "0s",
            "authentication.passwordAttempts.firstWait: must be over 0s",
        ),
        (
            "authentication.passwordAttempts.forgetAfter",
            "1m",
            "authentication.passwordAttempts.forgetAfter: must not be under longestWait",
        ),
        ("store", None, "store: required by issuer"),
        ("store.type", "Redis", "store.redis: required for type Redis"),
        ("store.redis", {"url": "redis://localhost"}, "store.redis: does not belong to type"),
        ("store.sqlite.file", "gone/store.db", "store.sqlite.file: "),
        ("issuer", None, "issuer: required by an authenticator of type Issued"),
        (
            "authentication.authenticators",
            [
                {
                    "name": "people",
                    "type": "StaticPasswords",
                    "staticPasswords": {"file": "passwords"},
                }
            ],
            "authentication.authenticators: issuer's tokens would be nobody's without an ",
        ),
    ],
)
def test_a_fault_is_said_with_its_place(folder: Path, path: str, value: object, error: str) -> None:
    assert any(each.startswith(error) for each in _errors(folder, {path: value}))


def test_no_proxy_is_believed_where_clients_can_write_its_header(folder: Path) -> None:
    changes = {"issuer.trustedProxies": ["10.0.0.0/8"], "server.engine": "Granian"}

    assert any(
        each.startswith("issuer.trustedProxies: engine Granian takes a client's")
        for each in _errors(folder, changes)
    )


@pytest.mark.parametrize(
    ("redis", "error"),
    [
        ({"url": "redis://redis.example.org"}, "url: must be rediss:// (TLS) to another machine"),
        ({"url": "rediss://:canary@redis"}, "url: holds more than a place"),
        ({"url": "rediss://redis?ssl_cert_reqs=none"}, "url: holds more than a place"),
        ({"url": "http://redis"}, "url: expected rediss://"),
        ({"url": "rediss://redis", "username": "a"}, "passwordFile: required with a username"),
        ({"url": "rediss://redis", "passwordFile": "gone"}, "passwordFile: "),
        ({"url": "rediss://redis", "certFile": "passwords"}, "keyFile: certFile and keyFile"),
        ({"url": "redis://localhost", "caFile": "passwords"}, "url: must be rediss:// for caFile"),
    ],
)
def test_a_fault_of_redis_is_said_with_its_place_and_without_a_password(
    folder: Path, redis: dict[str, str], error: str
) -> None:
    errors = _errors(folder, {"store": {"type": "Redis", "redis": redis}})

    assert any(each.startswith("store.redis." + error) for each in errors)
    assert "canary" not in str(errors)


@pytest.mark.parametrize(
    "redis", [{"url": "redis://127.0.0.1:6379/0"}, {"url": "redis://redis", "insecure": True}]
)
def test_redis_without_tls_is_for_this_machine_or_on_purpose(
    folder: Path, redis: dict[str, Any]
) -> None:
    document = yaml.safe_load((EXAMPLES / "authsvc.yaml").read_text())
    document["store"] = {"type": "Redis", "redis": redis}
    (folder / "authsvc.yaml").write_text(yaml.safe_dump(document))

    assert isinstance(load(folder / "authsvc.yaml").store, RedisSettings)


def test_all_faults_are_said_at_once(folder: Path) -> None:
    errors = _errors(
        folder,
        {"issuer.url": "x", "issuer.passwords": ["y"], "store.sqlite.timeout": "z"},
    )

    assert len(errors) == 3


def test_keys_that_are_not_made_yet_are_said_with_the_rest_and_what_makes_them(
    folder: Path,
) -> None:
    shutil.rmtree(folder / "keys")

    first, *others = sorted(_errors(folder, {"issuer.url": "x"}))

    keys = folder / "keys"
    assert first == (
        f"issuer.keys: {keys}: no such folder; `authsvc keys rotate` makes it and the first key"
    )
    assert len(others) == 1


def test_weak_keys_keep_a_service_from_starting(folder: Path) -> None:
    (key,) = (folder / "keys").iterdir()
    key.chmod(0o644)
    configuration = load(_use(EXAMPLES / "authsvc.yaml", folder))

    with pytest.raises(InvalidConfigurationError, match="others may read it"):
        build(configuration)
