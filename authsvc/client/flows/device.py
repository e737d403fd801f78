"""The device flow (RFC 8628): log in with a browser that is somewhere else."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from authsvc.client import qr
from authsvc.client.errors import ClientError, RefusedError, UnreachableError, printable
from authsvc.client.provider import Provider
from authsvc.client.terminal import say
from authsvc.client.tokens import Tokens, check_id_token

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL = 5.0  # seconds between questions where the issuer names none (section 3.2)


def log_in(provider: Provider, environment: Mapping[str, str]) -> Tokens:
    """Show where to go with which code, and wait until the person has been there.

    Raises:
        ClientError: it was refused, or took too long.
    """
    settings = provider.settings
    endpoint = provider.endpoint("device_authorization")
    if not endpoint:
        raise ClientError(f"{settings.issuer} has no device flow: choose another --flow")
    answer = provider.post(endpoint, provider.wanted())
    device_code, user_code = _text(answer, "device_code"), _text(answer, "user_code")
    address = _url(_text(answer, "verification_uri"))
    complete = answer.get("verification_uri_complete")
    _show(address, user_code, _url(complete) if isinstance(complete, str) else "", environment)
    seconds = min(_number(answer.get("expires_in"), settings.login_timeout), settings.login_timeout)
    tokens = _wait(provider, device_code, _number(answer.get("interval"), _INTERVAL), seconds)
    check_id_token(tokens, settings.issuer, settings.client_id)
    return tokens


def _wait(provider: Provider, device_code: str, interval: float, seconds: float) -> Tokens:
    end = time.monotonic() + seconds
    while time.monotonic() + interval < end:
        time.sleep(interval)
        try:
            return provider.token({"grant_type": GRANT, "device_code": device_code})
        except RefusedError as error:
            interval = _next_interval(error, interval)
        except UnreachableError:  # section 3.5: go on, less often
            interval *= 2
    raise ClientError(f"nobody logged in within {seconds:.0f} s: run the command again")


def _next_interval(error: RefusedError, interval: float) -> float:
    """Return how long to wait now (RFC 8628 section 3.5), or raise what ends the wait."""
    if error.error == "authorization_pending":
        return interval
    if error.error == "slow_down":
        return interval + 5
    if error.error == "expired_token":
        raise ClientError("the code was not used in time: run the command again") from None
    if error.error == "access_denied":
        raise ClientError("the login was refused in the browser: run the command again") from None
    raise error


def _show(address: str, code: str, complete: str, environment: Mapping[str, str]) -> None:
    say(f"To log in, open\n\n    {address}\n\nand enter the code\n\n    {code}\n")
    if not sys.stderr.isatty() or "NO_COLOR" in environment:
        return
    try:
        modules = qr.encode((complete or address).encode())
        if qr.width(modules) <= os.get_terminal_size(sys.stderr.fileno()).columns:
            say(qr.render(modules))
    except (ValueError, OSError, UnicodeError):
        return  # the picture is a convenience: the address above is enough


def _text(answer: Mapping[str, object], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise ClientError(f"the issuer's device answer holds no {name}")
    return value if name == "device_code" else printable(value, 2048)


def _url(value: str) -> str:
    if urlsplit(value).scheme not in ("https", "http"):
        raise ClientError("the issuer's device answer names an address that is no web page")
    return printable(value, 2048)


def _number(value: object, otherwise: float) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 86400
    return float(value) if good else otherwise  # type: ignore[arg-type]  # `good` has checked it
