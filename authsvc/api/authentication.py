"""TokenReview, ``authentication.k8s.io/v1`` and ``/v1beta1``.

The answer has three forms (k8s.io/apiserver/plugin/pkg/authenticator/token/webhook):
authenticated with a user; not authenticated, without an error, which the API
server caches as a verdict; not authenticated with an error, which it does not.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from authsvc.api import meta
from authsvc.errors import InvalidReviewError
from authsvc.interfaces import Identity

KIND = "TokenReview"
VERSIONS = ("authentication.k8s.io/v1", "authentication.k8s.io/v1beta1")


class TokenReview(msgspec.Struct, frozen=True):
    """What the API server asks: whose is this token, for these audiences?"""

    api_version: str
    token: str
    audiences: tuple[str, ...]


class _Spec(msgspec.Struct):
    token: str = ""
    audiences: tuple[str, ...] | None = None


class _Request(msgspec.Struct, rename="camel"):
    spec: _Spec | None = None
    kind: str = ""
    api_version: str = ""


class _User(msgspec.Struct):
    username: str
    uid: str
    groups: tuple[str, ...]
    extra: Mapping[str, tuple[str, ...]]


class _Status(msgspec.Struct, omit_defaults=True):
    # `authenticated` and `user.groups` are always written: a reader of the
    # wire should not have to know what absence means.
    authenticated: bool
    user: _User | None = None
    audiences: tuple[str, ...] = ()
    error: str = ""


class _Response(msgspec.Struct, rename="camel"):
    kind: str
    api_version: str
    status: _Status


_decoder = msgspec.json.Decoder(_Request)
_encoder = msgspec.json.Encoder()


def parse(body: bytes) -> TokenReview:
    """Read a TokenReview.

    Raises:
        InvalidReviewError: the body is not one, with the place.
    """
    request = meta.decode(_decoder, body)
    api_version = meta.check_kind(request.kind, request.api_version, KIND, VERSIONS)
    if request.spec is None:
        raise InvalidReviewError("spec", "missing")
    return TokenReview(api_version, request.spec.token, request.spec.audiences or ())


def render_authenticated(api_version: str, identity: Identity) -> bytes:
    """Render the answer for a good token."""
    user = identity.user
    # Keys of extra are compared in lower case by the API server, which would
    # refuse to impersonate them otherwise.
    extra = {key.lower(): values for key, values in user.extra.items()} if user.extra else {}
    status = _Status(
        authenticated=True,
        user=_User(user.username, user.uid, user.groups, extra),
        audiences=identity.audiences,
    )
    return _encoder.encode(_Response(KIND, api_version, status))


def render_rejected(api_version: str) -> bytes:
    """Render the verdict that a token is nobody's."""
    return _encoder.encode(_Response(KIND, api_version, _Status(authenticated=False)))


def render_error(api_version: str, error: str) -> bytes:
    """Render that no verdict could be reached; ``error`` is shown to nobody but the log."""
    return _encoder.encode(_Response(KIND, api_version, _Status(authenticated=False, error=error)))
