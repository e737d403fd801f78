"""What all kinds share: Status, reading JSON, kind and apiVersion."""

from __future__ import annotations

import json

import msgspec
import pytest

from authsvc.api import meta
from authsvc.errors import InvalidReviewError

VERSIONS = ("group/v1", "group/v1beta1")


class _Inner(msgspec.Struct):
    token: str = ""


class _Document(msgspec.Struct):
    spec: _Inner | None = None


DECODER = msgspec.json.Decoder(_Document)


@pytest.mark.parametrize(
    ("code", "reason"),
    [(400, "BadRequest"), (413, "RequestEntityTooLarge"), (503, "ServiceUnavailable")],
)
def test_a_status_is_what_kubernetes_has_for_a_failure(code: int, reason: str) -> None:
    assert json.loads(meta.status(code, "why")) == {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "why",
        "reason": reason,
        "code": code,
    }


def test_a_code_without_a_name_in_kubernetes_has_that_of_http() -> None:
    assert json.loads(meta.status(418, "no coffee"))["reason"] == "I'maTeapot"


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        (b'{"spec": {"token": 123}}', "spec.token", "Expected `str`, got `int`"),
        (b'{"spec": []}', "spec", "Expected `object | null`, got `array`"),
        (b"[]", "", "Expected `object`, got `array`"),
        (b"", "", "the body is not JSON"),
        (b"{", "", "the body is not JSON"),
        (b'{"spec": {"token": "\xff"}}', "", "not JSON"),
        (b'{"spec": {"token": "x"}}garbage', "", "the body is not JSON"),
        (b'{"spec":' * 100_000, "", "not JSON"),
        (b'{"other":' + b"[" * 100_000, "", "not JSON"),
        (b"\xef\xbb\xbf{}", "", "the body is not JSON"),
    ],
    ids=["type", "object", "array", "empty", "half", "utf-8", "tail", "depth", "unknown", "bom"],
)
def test_what_can_not_be_read_is_named_with_its_place(body: bytes, path: str, message: str) -> None:
    with pytest.raises(InvalidReviewError) as caught:
        meta.decode(DECODER, body)
    assert caught.value.path == path
    assert message in caught.value.message


@pytest.mark.parametrize("version", VERSIONS)
def test_the_answer_is_in_the_version_of_the_request(version: str) -> None:
    assert meta.check_kind("Kind", version, "Kind", VERSIONS) == version


def test_absent_kind_and_version_are_accepted() -> None:
    assert meta.check_kind("", "", "Kind", VERSIONS) == "group/v1"


@pytest.mark.parametrize(
    ("kind", "version", "path"),
    [
        ("Other", "group/v1", "kind"),
        ("Kind", "group/v2", "apiVersion"),
        ("Kind", "v1", "apiVersion"),
    ],
)
def test_another_kind_or_version_is_refused(kind: str, version: str, path: str) -> None:
    with pytest.raises(InvalidReviewError) as caught:
        meta.check_kind(kind, version, "Kind", VERSIONS)
    assert caught.value.path == path
