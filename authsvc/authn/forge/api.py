"""A forge's API as one user: pages, rate limits, and answers kept round them.

What was answered is kept with its ETag and asked for again conditionally, which
does not count against the user's rate limit where nothing changed. While a
limit forbids asking, the last answer serves for a while; then the question
cannot be answered. A limit applies to the token that met it: anybody can drive a
token of their own into one, and must not lock out others by showing it here.
Addresses in answers (``next``, ``organizations_url``) are not used.
"""

from __future__ import annotations

import hmac
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from authsvc.authn.checks import Refused
from authsvc.authn.http import HTTPClient, Response
from authsvc.errors import BackendError

_PAGE = 100
_MAX_PAGES = 50
_MAX_KEPT = 1_000  # answers; whoever has an account there causes them, so bytes are bounded too
_MAX_KEPT_BYTES = 32 * 1024 * 1024
_MAX_PAUSE_SECONDS = 3600.0
_DEFAULT_PAUSE_SECONDS = 60.0  # GitHub's advice where a limit comes without a time


class _Kept(NamedTuple):
    response: Response
    at: float


class ForgeAPI:
    """Asks ``base`` with users' tokens; shared by threads. ``clock``: seconds since the epoch."""

    def __init__(
        self,
        base: str,
        client: HTTPClient,
        stale: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._base = base.rstrip("/")
        self._client = client
        self._stale = stale
        self._clock = clock
        self._secret = os.urandom(32)
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[bytes, str], _Kept] = OrderedDict()
        self._kept_bytes = 0
        self._limited: OrderedDict[bytes, float] = OrderedDict()

    def get(self, token: str, path: str, deadline: float) -> Response:
        """Return an answer about whoever holds the token.

        Raises:
            Refused: the forge leaves out what the token is not good enough for.
            BackendError: the forge cannot be asked, or not now.
        """
        holder = hmac.digest(self._secret, token.encode("ascii"), "sha256")
        with self._lock:
            kept = self._kept.get((holder, path))
            until = self._limited.get(holder, 0.0)
        if until > self._clock():
            return self._without_asking(kept, path)
        headers = {"Authorization": f"Bearer {token}"}
        if kept is not None and (etag := kept.response.headers.get("etag")):
            headers["If-None-Match"] = etag
        response = self._client.get(self._base + path, headers, deadline=deadline)
        _check_whole(response)  # before it is kept, and what was kept is not marked
        if response.status == 304 and kept is not None:
            response = kept.response
        pause = self._pause(response)
        if pause is not None:
            self._limit(holder, pause)
            return self._without_asking(kept, path)
        if response.status >= 500:
            raise BackendError(f"{response.url}: status {response.status}")
        self._keep((holder, path), response)
        return response

    def read(self, token: str, path: str, deadline: float, scope: str) -> Response:
        """Return a good answer.

        Raises:
            Refused: the forge does not know the token, or it lacks ``scope``, or more.
            BackendError: the forge cannot be asked, or not now.
        """
        return _granted(self.get(token, path, deadline), scope)

    def entries(self, token: str, path: str, deadline: float, scope: str) -> list[dict[str, Any]]:
        """Return the entries of all pages of a list.

        Raises:
            Refused: the forge does not know the token, or it lacks ``scope``, or more.
            BackendError: the forge cannot be asked, or not now; too many pages.
        """
        entries: list[dict[str, Any]] = []
        separator = "&" if "?" in path else "?"
        for page in range(1, _MAX_PAGES + 1):
            numbered = f"{path}{separator}per_page={_PAGE}&page={page}"
            response = self.read(token, numbered, deadline, scope)
            items = response.json()
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise BackendError(f"{response.url}: the answer is not a list of objects")
            entries += items
            if len(items) < _PAGE:
                return entries
        raise BackendError(f"{self._base}{path}: more than {_MAX_PAGES * _PAGE} entries")

    def _without_asking(self, kept: _Kept | None, path: str) -> Response:
        if kept is not None and self._clock() - kept.at < self._stale:
            return kept.response
        raise BackendError(f"{self._base}{path.partition('?')[0]}: rate limit exceeded")

    def _pause(self, response: Response) -> float | None:
        """Return for how many seconds not to ask again; None where there is no limit."""
        headers = response.headers
        wait = headers.get("retry-after", "")
        if response.status != 429 and not (
            response.status == 403 and (wait or _remaining(response) == "0")
        ):
            return None
        if wait.isdecimal():
            return float(wait)
        reset = headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset") or ""
        return float(reset) - self._clock() if reset.isdecimal() else _DEFAULT_PAUSE_SECONDS

    def _limit(self, holder: bytes, pause: float) -> None:
        until = self._clock() + min(max(pause, 1.0), _MAX_PAUSE_SECONDS)
        with self._lock:
            self._limited[holder] = until
            self._limited.move_to_end(holder)
            if len(self._limited) > _MAX_KEPT:
                self._limited.popitem(last=False)

    def _keep(self, key: tuple[bytes, str], response: Response) -> None:
        with self._lock:
            before = self._kept.pop(key, None)
            if before is not None:
                self._kept_bytes -= len(before.response.body)
            if response.status != 200:  # a token that was revoked has no past
                return
            self._kept[key] = _Kept(response, self._clock())
            self._kept_bytes += len(response.body)
            while len(self._kept) > _MAX_KEPT or self._kept_bytes > _MAX_KEPT_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._kept_bytes -= len(oldest.response.body)


def text_at(document: Mapping[str, Any], *keys: str) -> str:
    """Return the text under keys of a forge's document.

    Raises:
        BackendError: it is not there, so the document is not what it should be.
    """
    value: Any = document
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    if not isinstance(value, str) or not value:
        raise BackendError(f"the forge's answer has no text at {'.'.join(keys)}")
    return value


def _remaining(response: Response) -> str | None:
    headers: Mapping[str, str] = response.headers
    return headers.get("x-ratelimit-remaining") or headers.get("ratelimit-remaining")


def _check_whole(response: Response) -> None:
    """Refuse a token to which GitHub shows a part of a list only, which may lack a group.

    It is one that the user has not authorised at an organisation with single sign-on, and
    no error otherwise: https://docs.github.com/rest/authentication/authenticating-to-the-rest-api
    """
    kind, _, left_out = response.headers.get("x-github-sso", "").partition(";")
    if kind.strip().lower() == "partial-results":
        raise Refused(
            "single sign-on",
            f"the forge leaves out where the token is not authorised for it: {left_out.strip()}",
        )


def _granted(response: Response, scope: str) -> Response:
    if response.status == 401:
        raise Refused("token", "the forge does not know it, or no longer")
    if response.status in {403, 404}:
        raise Refused("scope", f"the token may not read this; it needs {scope}")
    if response.status != 200:
        raise BackendError(f"{response.url}: status {response.status}")
    return response
