"""Whose a token may be is told by its shape alone."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.authn.routing import (
    Shape,
    read_unverified,
    route_issuer,
    route_prefix,
    shape_of,
)


@pytest.mark.parametrize(
    ("token", "shape"),
    [
        ("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln", Shape.JWT),
        ("a.b.", Shape.JWT),
        ("abcdef.0123456789abcdef", Shape.BOOTSTRAP),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", Shape.GITHUB),
        ("github_pat_11A", Shape.GITHUB),
        *((f"gh{kind}_1", Shape.GITHUB) for kind in "pousr"),
        *((f"gl{kind}-1", Shape.GITLAB) for kind in ("pat", "oas", "dt", "rt", "cbt", "ptt", "ft")),
        ("glagent-1", Shape.GITLAB),
        (base64.b64encode(b"alice:secret").decode(), Shape.PASSWORD),
        (base64.b64encode("zoë:päss".encode()).decode(), Shape.PASSWORD),
        (base64.b64encode("alice:no\N{NO-BREAK SPACE}break".encode()).decode(), Shape.PASSWORD),
        (base64.b64encode(b"alice:a\ttab").decode(), Shape.PASSWORD),
        (base64.b64encode(b"opaque\x00:\x1f").decode(), Shape.OPAQUE),
        (base64.b64encode(b"readable, but no pair").decode(), Shape.OPAQUE),
        ("J62867sGWCnlTVwnIyiEGKYldJqRb02XUveNYaE5bXV", Shape.OPAQUE),
        ("mF_9.B5f-4.1JqM.x", Shape.OPAQUE),
        ("", Shape.NO_TOKEN),
        ("two words", Shape.NO_TOKEN),
        ("a\n", Shape.NO_TOKEN),
        ("é", Shape.NO_TOKEN),
        ("=a", Shape.NO_TOKEN),
    ],
)
def test_shapes(token: str, shape: Shape) -> None:
    assert shape_of(token) is shape


@given(st.text())
def test_no_text_is_too_strange_to_have_a_shape(token: str) -> None:
    shape_of(token)
    assert read_unverified(token) is None or token.count(".") == 2
    assert not route_issuer(token, "https://issuer.test").takes


def jwt(claims: bytes) -> str:
    return "e30." + base64.urlsafe_b64encode(claims).rstrip(b"=").decode() + ".c2ln"


@pytest.mark.parametrize(
    ("claims", "takes"),
    [
        (b'{"iss": "https://issuer.test"}', True),
        (b'{"iss": "https://issuer.test/"}', False),
        (b'{"iss": "https://ISSUER.test"}', False),
        (b'{"iss": ["https://issuer.test"]}', False),
        (b"{}", False),
        (b"[]", False),
        (b"\xff", False),
        (b"[" * 5000, False),
    ],
)
def test_a_jwt_goes_to_the_issuer_it_names(claims: bytes, takes: bool) -> None:
    assert route_issuer(jwt(claims), "https://issuer.test").takes is takes


def test_a_token_goes_to_whom_its_prefix_belongs_to() -> None:
    assert route_prefix("corp_1", ("x_", "corp_")).takes
    assert not route_prefix("acorp_1", ("corp_",)).takes
    assert not route_prefix("corp_ 1", ("corp_",)).takes
