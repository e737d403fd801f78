"""SubjectAccessReview, ``authorization.k8s.io/v1`` and ``/v1beta1``.

v1beta1 spells ``groups`` as ``group``; all else is the same. Selectors follow
KEP-4601: what cannot be understood is dropped, which makes the request
broader, never narrower.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
import msgspec.structs

from authsvc.api import meta
from authsvc.errors import InvalidReviewError
from authsvc.interfaces import Attributes, Decision, Effect, Requirement, UserInfo

KIND = "SubjectAccessReview"
VERSIONS = ("authorization.k8s.io/v1", "authorization.k8s.io/v1beta1")

A = TypeVar("A", bound=msgspec.Struct)

# With all its fields: a NamedTuple's own ``__new__`` is a function of Python's, and costs
# twice as much.
_new = tuple.__new__

_OPERATORS = frozenset({"In", "NotIn", "Exists", "DoesNotExist"})


class _Requirement(msgspec.Struct, omit_defaults=True):
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] | None = None


class _Selector(msgspec.Struct, omit_defaults=True):
    requirements: tuple[_Requirement, ...] | None = None


class _ResourceAttributes(msgspec.Struct, rename="camel", omit_defaults=True):
    namespace: str = ""
    verb: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    field_selector: _Selector | None = None
    label_selector: _Selector | None = None


class _NonResourceAttributes(msgspec.Struct, omit_defaults=True):
    path: str = ""
    verb: str = ""


class Spec(msgspec.Struct, rename="camel", omit_defaults=True):
    """The ``spec`` of a review; once parsed, in v1's spelling."""

    resource_attributes: _ResourceAttributes | None = None
    non_resource_attributes: _NonResourceAttributes | None = None
    user: str = ""
    uid: str = ""
    groups: tuple[str, ...] | None = None
    group: tuple[str, ...] | None = None
    extra: dict[str, tuple[str, ...] | None] | None = None

    def abridged(self, longest: int) -> Spec:
        """Return the same without selectors, and with no text of what is asked over ``longest``."""

        def cut(attributes: A) -> A:
            texts = {
                name: value[:longest]
                for name in attributes.__struct_fields__
                if isinstance(value := getattr(attributes, name), str)
            }
            return type(attributes)(**texts)

        resource, path = self.resource_attributes, self.non_resource_attributes
        return msgspec.structs.replace(
            self,
            resource_attributes=resource and cut(resource),
            non_resource_attributes=path and cut(path),
        )


class SubjectAccessReview(msgspec.Struct, frozen=True):
    """What the API server asks: may they?

    ``spec`` is kept for the decision log, which holds what was asked in the
    form in which it can be asked again.
    """

    api_version: str
    attributes: Attributes
    spec: Spec


class _Request(msgspec.Struct, rename="camel"):
    spec: Spec | None = None
    kind: str = ""
    api_version: str = ""


class _Status(msgspec.Struct, omit_defaults=True):
    allowed: bool
    denied: bool = False
    reason: str = ""


class _Response(msgspec.Struct, rename="camel"):
    kind: str
    api_version: str
    status: _Status


_decoder = msgspec.json.Decoder(_Request)
_encoder = msgspec.json.Encoder()


def parse(body: bytes) -> SubjectAccessReview:
    """Read a SubjectAccessReview.

    Raises:
        InvalidReviewError: the body is not one, with the place.
    """
    request = meta.decode(_decoder, body)
    api_version = meta.check_kind(request.kind, request.api_version, KIND, VERSIONS)
    spec = request.spec
    if spec is None:
        raise InvalidReviewError("spec", "missing")
    # Each version has its own spelling; the other's field is an unknown one.
    if api_version != VERSIONS[0]:
        spec.groups = spec.group
    spec.group = None
    return SubjectAccessReview(api_version, attributes_of(spec), spec)


def attributes_of(spec: Spec) -> Attributes:
    """Return what a review's spec asks, in v1's spelling.

    Raises:
        InvalidReviewError: both or neither kind of attributes.
    """
    # Go writes a slice that is nil as null.
    extra = {key: values or () for key, values in spec.extra.items()} if spec.extra else {}
    user = _new(UserInfo, (spec.user, spec.uid, spec.groups or (), extra))
    asked = spec.resource_attributes
    path = spec.non_resource_attributes
    if asked is not None and path is None:
        return _new(
            Attributes,
            (
                user,
                asked.verb,
                True,
                asked.namespace,
                asked.group,
                asked.version,
                asked.resource,
                asked.subresource,
                asked.name,
                "",
                _requirements(asked.field_selector) if asked.field_selector else (),
                _requirements(asked.label_selector) if asked.label_selector else (),
            ),
        )
    if path is not None and asked is None:
        return Attributes(user, path.verb, False, path=path.path)
    count = "both" if asked else "neither"
    raise InvalidReviewError(
        "spec", f"expected one of resourceAttributes and nonResourceAttributes, got {count}"
    )


def _requirements(selector: _Selector) -> tuple[Requirement, ...]:
    # `rawSelector` comes only from reviews that users post and is treated as
    # no selector, as an operator unknown to us is (KEP-4601).
    return tuple(
        Requirement(requirement.key, requirement.operator, requirement.values or ())
        for requirement in selector.requirements or ()
        if requirement.operator in _OPERATORS
    )


def render(api_version: str, decision: Decision) -> bytes:
    """Render a decision; never allowed and denied together, which would be a 500 to the user."""
    effect = decision.effect
    status = _Status(effect is Effect.ALLOW, effect is Effect.DENY, decision.reason)
    return _encoder.encode(_Response(KIND, api_version, status))
