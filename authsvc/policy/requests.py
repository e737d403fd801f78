"""SubjectAccessReviews as JSON lines: what-if at volume, and what a decision log holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, get_args

import msgspec
import msgspec.structs

from authsvc.api import authorization, meta
from authsvc.errors import InvalidReviewError
from authsvc.interfaces import Attributes, Decision, Effect


class _Envelope(msgspec.Struct):
    spec: msgspec.Raw = msgspec.Raw()


class Verdict(msgspec.Struct):
    """One answer, in the words of a review's status."""

    allowed: bool
    denied: bool
    reason: str


_envelopes = msgspec.json.Decoder(_Envelope)
_specs = msgspec.json.Decoder(authorization.Spec)
_encoder = msgspec.json.Encoder()


def read(lines: Iterable[bytes]) -> Iterator[Attributes]:
    """Read a request a line: an object with a ``spec``, or the spec itself; skip blank lines.

    The API server may know fields that are unknown here. People who write a
    request mean what they write, so to them a field that is not known is an error.

    Raises:
        InvalidReviewError: with ``line N`` in its path.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield read_one(line)
        except InvalidReviewError as error:
            place = f"line {number}" + (f": {error.path}" if error.path else "")
            raise InvalidReviewError(place, error.message) from None


def read_one(line: bytes) -> Attributes:
    """Read one request.

    Raises:
        InvalidReviewError: it is none, or has fields that no review has.
    """
    try:
        document = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidReviewError("", "not JSON: a request is one object on one line") from None
    envelope = meta.decode(_envelopes, line)
    spec = meta.decode(_specs, bytes(envelope.spec) or line)
    if envelope.spec:
        _refuse_unknown(authorization.Spec, document["spec"], "spec")
    else:
        _refuse_unknown(authorization.Spec, document, "")
    if spec.groups is None:
        spec.groups = spec.group  # v1beta1's spelling
    return authorization.attributes_of(spec)


def _refuse_unknown(kind: type[msgspec.Struct], value: Mapping[str, Any], path: str) -> None:
    """Raise for a field that a decoded struct has no place for."""
    fields = _fields(kind)
    for name, item in value.items():
        place = f"{path}.{name}" if path else name
        if name not in fields:
            near = get_close_matches(name, fields, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InvalidReviewError(place, f"unknown field{hint}")
        if (inner := fields[name]) is not None:
            for each in item if isinstance(item, list) else [item]:
                if each is not None:
                    _refuse_unknown(inner, each, place)


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct] | None]:
    """Return the fields of a struct, with the struct that each holds, one or several of."""
    fields: dict[str, type[msgspec.Struct] | None] = {
        field.encode_name: next(_structs_in(field.type), None)
        for field in msgspec.structs.fields(kind)
    }
    if "requirements" in fields:
        fields["rawSelector"] = None  # of a review that a user posts: taken for no selector
    return fields


def _structs_in(kind: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for inner in get_args(kind):
        yield from _structs_in(inner)


def render(decision: Decision) -> bytes:
    """Return a decision as one JSON line, without its end."""
    effect = decision.effect
    return _encoder.encode(Verdict(effect is Effect.ALLOW, effect is Effect.DENY, decision.reason))
