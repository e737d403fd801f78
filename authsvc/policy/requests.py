"""SubjectAccessReviews as JSON lines: what-if at volume, and what a decision log holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

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
        InvalidReviewError: it is none.
    """
    envelope = meta.decode(_envelopes, line)
    spec = meta.decode(_specs, bytes(envelope.spec) or line)
    if spec.groups is None:
        spec.groups = spec.group  # v1beta1's spelling
    return authorization.attributes_of(spec)


def render(decision: Decision) -> bytes:
    """Return a decision as one JSON line, without its end."""
    effect = decision.effect
    return _encoder.encode(Verdict(effect is Effect.ALLOW, effect is Effect.DENY, decision.reason))
