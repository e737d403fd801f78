"""What all kinds share: the error answer, and the reading of a JSON document.

``Status`` is meta/v1's; kubectl and the API server show its message.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TypeVar

import msgspec

from authsvc.decoding.faults import fault_of
from authsvc.errors import InvalidReviewError

T = TypeVar("T")

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "Timeout",
    411: "LengthRequired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


class Status(msgspec.Struct, rename="camel", omit_defaults=True):
    """meta/v1 Status: the body of every answer that is not a review."""

    kind: str
    api_version: str
    status: str
    message: str
    reason: str
    code: int


_encoder = msgspec.json.Encoder()


def status(code: int, message: str) -> bytes:
    """Render a failure as a Kubernetes Status."""
    reason = _REASONS.get(code, HTTPStatus(code).phrase.replace(" ", ""))
    return _encoder.encode(Status("Status", "v1", "Failure", message, reason, code))


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a JSON body.

    Raises:
        InvalidReviewError: not JSON, or a field of the wrong type, with its place.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidReviewError(*fault_of(error)) from None
    except msgspec.DecodeError as error:
        raise InvalidReviewError("", f"the body is not JSON: {error}") from None
    except (UnicodeDecodeError, RecursionError):
        raise InvalidReviewError("", "the body is not JSON that can be read") from None


def check_kind(kind: str, api_version: str, expected_kind: str, versions: tuple[str, ...]) -> str:
    """Return the apiVersion to answer in; absent ones are accepted, as the API server does.

    Raises:
        InvalidReviewError: another kind or an unknown version.
    """
    if kind and kind != expected_kind:
        raise InvalidReviewError("kind", f"expected {expected_kind}")
    if not api_version:
        return versions[0]
    if api_version not in versions:
        raise InvalidReviewError("apiVersion", f"expected one of {', '.join(versions)}")
    return api_version
