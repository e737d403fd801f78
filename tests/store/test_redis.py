"""The store of several machines, against the real Redis."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from authsvc.attempts import Curve
from authsvc.errors import BackendError
from authsvc.store.redis import RedisSettings, RedisStore
from tests.contract.store import NOW, OpenStore, StoreContract, session
from tests.parts.redis import RedisServer


@pytest.fixture
def open_store(redis_server: RedisServer) -> OpenStore:
    return functools.partial(RedisStore, RedisSettings(redis_server.url, timeout=10))


@pytest.fixture
def store(redis_server: RedisServer, open_store: OpenStore) -> Iterator[RedisStore]:
    with Redis.from_url(redis_server.url) as redis:
        redis.flushall()
    store = open_store()
    assert isinstance(store, RedisStore)
    yield store
    store.close()


class TestRedisStore(StoreContract):
    pass


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


def test_a_store_that_goes_away_fails_and_comes_back_with_all_it_had(
    own_server: RedisServer,
) -> None:
    store = RedisStore(RedisSettings(own_server.url, timeout=1))
    store.create(session())

    own_server.stop()
    with pytest.raises(BackendError, match="store: "):
        store.find("s1")
    own_server.start()

    assert store.find("s1") == session()
    assert [each.id for each in store.sessions(NOW)] == ["s1"]
    store.close()


def test_a_session_key_ends_by_itself_and_all_keys_share_a_slot(
    store: RedisStore, redis_server: RedisServer
) -> None:
    store.create(session())
    store.admit("user:a", NOW, Curve())

    with Redis.from_url(redis_server.url) as redis:
        keys = redis.keys("*")
        assert redis.pexpiretime("{authsvc}:session:s1") == int((NOW + 100) * 1000)

    assert isinstance(keys, list)
    assert all(key.startswith(b"{authsvc}:") for key in keys)


def test_a_password_is_read_from_its_file_and_is_in_no_error(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("canary-0\n")
    server = RedisServer(tmp_path, ["--requirepass", "canary-1"])
    server.start()
    store = RedisStore(RedisSettings(server.url, password_file=password))

    with pytest.raises(BackendError) as refused:
        store.revoked(NOW)
    password.write_text("canary-1\n")
    store.revoked(NOW)

    assert "canary" not in str(refused.value)
    store.close()
    server.stop()


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"\n", "empty"), (b"canary\xff", "not UTF-8")],
    ids=["missing", "empty", "not UTF-8"],
)
def test_a_password_that_cannot_be_read_is_a_failure_that_names_its_file(
    redis_server: RedisServer, tmp_path: Path, content: bytes | None, message: str
) -> None:
    password = tmp_path / "password"
    if content is not None:
        password.write_bytes(content)
    store = RedisStore(RedisSettings(redis_server.url, password_file=password))

    with pytest.raises(BackendError, match=f"store: .*/password: {message}") as failed:
        store.revoked(NOW)

    assert "canary" not in str(failed.value)
    store.close()


def test_what_this_release_cannot_read_is_a_failure(
    store: RedisStore, redis_server: RedisServer
) -> None:
    store.create(session())
    with Redis.from_url(redis_server.url) as redis:
        redis.hset("{authsvc}:session:s1", "session", "[1]")
        redis.zadd("{authsvc}:revoked", {b"\xff": NOW + 60})

    with pytest.raises(BackendError, match="cannot read"):
        store.find("s1")
    with pytest.raises(BackendError, match="UnicodeDecodeError"):
        store.revoked(NOW)


def test_tls_is_verified_against_the_given_ca_only(tmp_path: Path) -> None:
    for name in ("server", "other"):
        subprocess.run(
            [
                *(
                    "openssl",
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                ),
                *("-nodes", "-days", "1", "-subj", "/CN=redis", "-addext"),
                *("subjectAltName=IP:127.0.0.1", "-keyout", f"{name}.key", "-out", f"{name}.crt"),
            ],
            check=True,
            cwd=tmp_path,
            capture_output=True,
        )
    options = ["--tls-cert-file", "server.crt", "--tls-key-file", "server.key"]
    server = RedisServer(tmp_path, [*options, "--tls-auth-clients", "no"], tls=True)
    server.start()
    url = server.url.replace("redis:", "rediss:")
    good = RedisStore(RedisSettings(url, ca_file=tmp_path / "server.crt"))
    bad = RedisStore(RedisSettings(url, ca_file=tmp_path / "other.crt"))

    good.revoked(NOW)
    with pytest.raises(BackendError, match="CERTIFICATE_VERIFY_FAILED"):
        bad.revoked(NOW)

    good.close()
    bad.close()
    server.stop()
