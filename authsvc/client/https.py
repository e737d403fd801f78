"""The one way out: HTTPS with JSON answers, verified, bounded in time and size.

No redirect is followed: a token request must not be carried elsewhere. Proxies
of the environment (HTTPS_PROXY, NO_PROXY) are used as by every other program.
What the answers mean is not known here.
"""

from __future__ import annotations

import binascii
import http.client
import json
import ssl
import urllib.error
import urllib.request
from base64 import b64decode
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from authsvc.client.deadline import deadline
from authsvc.client.errors import ClientError, UnreachableError
from authsvc.client.settings import Settings, check_https

_OTHER_HOST = (62, 64)  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH

MAX_ANSWER = 1024 * 1024
"""Bytes of an answer that are read at most."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect as it is: an answer like another, and not a good one."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


class HTTPS:
    """Requests to the issuer, trusting its CA only where one is named."""

    def __init__(self, settings: Settings) -> None:
        self._seconds = settings.request_timeout
        self._open = urllib.request.build_opener(
            urllib.request.HTTPSHandler(context=_trust(settings)), _NoRedirect
        ).open

    def get(self, url: str) -> dict[str, object]:
        """Return the JSON object at ``url``.

        Raises:
            UnreachableError: no connection, no trust, or no answer in time.
            ClientError: it is not there, or something else.
        """
        status, answer = self._send(url, None, {})
        if status != 200:
            raise ClientError(f"{_place(url)} answered HTTP {status}: is the issuer's URL right?")
        return answer

    def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, object]]:
        """Send a form; return the status and the JSON object of the answer.

        An empty body is an empty object (RFC 7009 answers so).

        Raises:
            UnreachableError: no connection, no trust, or no answer in time.
            ClientError: the answer is none.
        """
        return self._send(url, urlencode(form).encode(), headers or {})

    def _send(
        self, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, object]]:
        check_https(url, "the issuer's endpoint")
        asked = urllib.request.Request(  # noqa: S310  # the scheme was just checked
            url, data=body, headers={"Accept": "application/json", **headers}
        )
        place = _place(url)
        try:
            with deadline(self._seconds):
                status, kind, content = self._exchange(asked)
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(reason, TimeoutError):
                raise UnreachableError(
                    f"{place} did not answer within {self._seconds} s: try again, "
                    "or raise --request-timeout"
                ) from None
            raise UnreachableError(_unreachable(place, reason)) from None
        return status, _object(place, status, kind, content)

    def _exchange(self, asked: urllib.request.Request) -> tuple[int, str, bytes]:
        try:
            answer = self._open(asked, timeout=self._seconds)
        except urllib.error.HTTPError as error:  # an answer like another: OAuth errors are 400
            answer = error
        with answer:
            return answer.status, answer.headers.get_content_type(), answer.read(MAX_ANSWER + 1)


def _object(place: str, status: int, kind: str, content: bytes) -> dict[str, object]:
    if len(content) > MAX_ANSWER:
        raise ClientError(f"{place} answered with more than 1 MiB: is the issuer's URL right?")
    if not content:
        return {}
    if kind != "application/json" and not kind.endswith("+json"):
        raise ClientError(
            f"{place} answered HTTP {status} with {kind}, not JSON: is the issuer's URL right, "
            "or does a proxy stand between?"
        )
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise ClientError(f"{place} answered HTTP {status} with something that is no JSON object")
    return answer


def _trust(settings: Settings) -> ssl.SSLContext:
    file, data = settings.certificate_authority, settings.certificate_authority_data
    try:
        pem = b64decode(data, validate=True).decode("ascii") if data else None
        return ssl.create_default_context(cafile=file or None, cadata=pem)
    except (binascii.Error, UnicodeDecodeError):
        raise ClientError("--certificate-authority-data is not a PEM file in base64") from None
    except OSError as error:  # ssl.SSLError too
        where = file or "--certificate-authority-data"
        why = error.strerror or "not a PEM file of certificates"
        raise ClientError(f"cannot use the certificates of {where}: {why}") from None


def _unreachable(place: str, reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        other_host = reason.verify_code in _OTHER_HOST
        what_to_do = "check --issuer" if other_host else "name its CA with --certificate-authority"
        return f"{place} cannot be trusted: {reason.verify_message.rstrip('.')}: {what_to_do}"
    if isinstance(reason, OSError) and reason.strerror:
        return f"{place} cannot be reached: {reason.strerror}"
    return f"{place} cannot be reached: {type(reason).__name__}"


def _place(url: str) -> str:
    """Name an endpoint without what a URL may carry besides."""
    parts = urlsplit(url)
    return f"https://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
