"""The store of several machines: Redis.

What must be atomic is one Lua script or one MULTI. Every key starts with the
same hash tag, so that a Redis Cluster keeps them in one slot. A session's key
expires when the session does; the sorted sets that index sessions are
cleaned by `purge`. redis-py is the extra ``authsvc[redis]``.

How much survives a crash of Redis is Redis' own configuration
(``appendonly yes``, ``appendfsync always``): users whose sessions it forgets
log in again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from authsvc.attempts import Curve
from authsvc.errors import BackendError, InvalidConfigurationError
from authsvc.secret_files import read_secret
from authsvc.store.protocol import Session

if TYPE_CHECKING:
    from redis import Redis

_PREFIX = "{authsvc}:"
_ENDS = _PREFIX + "sessions"  # sorted set: id → expires_at
_REVOKED = _PREFIX + "revoked"  # sorted set: id → until

_REPLACE = """
if redis.call('HGET', KEYS[1], 'current') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'current', ARGV[2], 'session', ARGV[3])
redis.call('PEXPIREAT', KEYS[1], ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[6])
return 1
"""
_REVOKE = """
local ended = {}
for index = 3, #KEYS do
  local id = ARGV[index - 1]
  local session = redis.call('HGET', KEYS[index], 'session')
  redis.call('ZREM', KEYS[1], id)
  if session then
    redis.call('DEL', KEYS[index])
    redis.call('ZADD', KEYS[2], ARGV[1], id)
    ended[#ended + 1] = session
  end
end
return ended
"""
_ADMIT = """
local now, free, first = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local longest, forget = tonumber(ARGV[4]), tonumber(ARGV[5])
local row = redis.call('HMGET', KEYS[1], 'failures', 'last')
local failures, last = tonumber(row[1] or 0), tonumber(row[2] or 0)
if failures > 0 and now - last >= forget then failures = 0 end
if failures > 0 and failures >= free then
  local wait = last + math.min(first * 2 ^ math.min(failures - free, 64), longest) - now
  if wait > 0 then return tostring(wait) end
end
redis.call('HSET', KEYS[1], 'failures', failures + 1, 'last', ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(forget * 1000))
return '0'
"""
_WITHDRAW = """
if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HINCRBY', KEYS[1], 'failures', -1) < 1 then
  redis.call('DEL', KEYS[1])
end
"""


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """``url``: ``rediss://host:port/0``, or ``redis://`` or ``unix://`` for a local one.

    ``ca_file`` None trusts the system's CAs. ``password_file`` is read at each
    new connection, so a rotated password needs no restart. ``timeout`` in
    seconds bounds each connection and each answer.
    """

    url: str
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    timeout: float = 2.0


class RedisStore:
    """See authsvc.store.protocol.Store."""

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: Redis | None = None

    def create(self, session: Session) -> None:
        """See Store."""
        key = _key(session.id)
        with self._redis() as redis, redis.pipeline(transaction=True) as pipe:
            fields: dict[Any, Any] = {
                "current": session.refresh.current.hex(),
                "session": _encode(session),
            }
            pipe.hset(key, mapping=fields)
            pipe.pexpireat(key, _milliseconds(session.expires_at))
            pipe.zadd(_ENDS, {session.id: session.expires_at})
            pipe.execute()

    def find(self, session_id: str) -> Session | None:
        """See Store."""
        with self._redis() as redis:
            session: Any = redis.hget(_key(session_id), "session")
        return None if session is None else _decode(session)

    def replace(self, session: Session, current: bytes) -> bool:
        """See Store."""
        with self._redis() as redis:
            changed: Any = redis.eval(
                _REPLACE,
                2,
                _key(session.id),
                _ENDS,
                current.hex(),
                session.refresh.current.hex(),
                _encode(session),
                _milliseconds(session.expires_at),
                session.expires_at,
                session.id,
            )
        return bool(changed == 1)

    def sessions(self, now: float, username: str | None = None) -> list[Session]:
        """See Store."""
        with self._redis() as redis:
            ids: Any = redis.zrange(_ENDS, f"({now}", "+inf", byscore=True)
            with redis.pipeline(transaction=False) as pipe:
                for session_id in ids:
                    pipe.hget(_key(session_id.decode()), "session")
                found = [_decode(each) for each in pipe.execute() if each is not None]
        live = (each for each in found if username is None or each.username == username)
        return sorted(live, key=lambda session: (session.created_at, session.id))

    def revoke(self, session_id: str, until: float) -> Session | None:
        """See Store."""
        ended = self._end([session_id], until)
        return ended[0] if ended else None

    def revoke_user(self, username: str, before: float, until: float) -> list[Session]:
        """See Store."""
        mine = self.sessions(0.0, username)
        return self._end([each.id for each in mine if each.created_at < before], until)

    def revoked(self, now: float) -> frozenset[str]:
        """See Store."""
        with self._redis() as redis:
            ids: Any = redis.zrange(_REVOKED, f"({now}", "+inf", byscore=True)
            return frozenset(each.decode() for each in ids)

    def admit(self, key: str, now: float, curve: Curve) -> float:
        """See Store."""
        with self._redis() as redis:
            wait: Any = redis.eval(_ADMIT, 1, _PREFIX + "attempts:" + key, now, *curve)
        return float(wait)

    def forgive(self, key: str) -> None:
        """See Store."""
        with self._redis() as redis:
            redis.delete(_PREFIX + "attempts:" + key)

    def withdraw(self, key: str) -> None:
        """See Store."""
        with self._redis() as redis:
            redis.eval(_WITHDRAW, 1, _PREFIX + "attempts:" + key)

    def purge(self, now: float) -> int:
        """See Store."""
        with self._redis() as redis, redis.pipeline(transaction=True) as pipe:
            pipe.zremrangebyscore(_REVOKED, "-inf", now)
            pipe.zremrangebyscore(_ENDS, "-inf", now)
            _, ended = pipe.execute()
        return int(ended)

    def start(self) -> None:
        """See Store."""

    def close(self) -> None:
        """See Store."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _end(self, ids: list[str], until: float) -> list[Session]:
        keys = [_ENDS, _REVOKED, *map(_key, ids)]
        with self._redis() as redis:
            ended: Any = redis.eval(_REVOKE, len(keys), *keys, until, *ids)
        return [_decode(each) for each in ended]

    @contextlib.contextmanager
    def _redis(self) -> Iterator[Redis]:
        from redis import ConnectionError as RedisConnectionError
        from redis import RedisError
        from redis import TimeoutError as RedisTimeoutError

        try:
            with self._lock:
                if self._client is None:
                    self._client = _connect(self._settings)
            yield self._client
        except (RedisConnectionError, RedisTimeoutError) as error:
            raise BackendError(f"store: {error}") from error
        except (RedisError, ValueError) as error:
            # Without its message: Redis quotes the arguments of what it does not
            # understand, a password among them.
            raise BackendError(f"store: {type(error).__name__}") from None
        except OSError as error:
            raise BackendError(f"store: {error.strerror or type(error).__name__}") from error


def _connect(settings: RedisSettings) -> Redis:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.credentials import CredentialProvider
    from redis.retry import Retry

    class PasswordFile(CredentialProvider):
        def __init__(self, file: Path) -> None:
            self._file = file

        def get_credentials(self) -> tuple[str] | tuple[str, str]:
            try:
                password = read_secret(self._file)
            except InvalidConfigurationError as error:
                raise BackendError(f"store: {error}") from None
            return (settings.username, password) if settings.username else (password,)

    options: dict[str, Any] = {}
    if settings.password_file is not None:
        options["credential_provider"] = PasswordFile(settings.password_file)
    if settings.url.startswith("rediss:"):
        options |= {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
        options |= {
            option: str(file)
            for option, file in {
                "ssl_ca_certs": settings.ca_file,
                "ssl_certfile": settings.cert_file,
                "ssl_keyfile": settings.key_file,
            }.items()
            if file is not None
        }
    # One retry, for a pooled connection that Redis has closed in the meantime.
    # A script that ran although its answer was lost finds its own work done.
    client: Redis = Redis.from_url(
        settings.url,
        socket_timeout=settings.timeout,
        socket_connect_timeout=settings.timeout,
        retry=Retry(NoBackoff(), 1),
        **options,
    )
    return client


def _key(session_id: str) -> str:
    return f"{_PREFIX}session:{session_id}"


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _encode(session: Session) -> bytes:
    return msgspec.json.encode(session)


def _decode(session: bytes) -> Session:
    try:
        return msgspec.json.decode(session, type=Session)
    except (msgspec.DecodeError, ValueError):  # a later release's, or not ours
        raise BackendError("store: holds a session that this release cannot read") from None
