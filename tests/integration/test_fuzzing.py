"""Whatever is sent, never a 5xx, never a crash, never a yes that was not asked for."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.reviews import (
    ENDPOINTS,
    assert_kubernetes_status,
    is_granted,
    review,
)
from tests.parts import https
from tests.parts.authsvc_server import AuthsvcServer


def of(base: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists and objects of something, with the fields' names that mean something."""
    keys = st.sampled_from(
        [
            "apiVersion",
            "kind",
            "spec",
            "token",
            "audiences",
            "user",
            "groups",
            "group",
            "extra",
            "resourceAttributes",
            "nonResourceAttributes",
            "verb",
            "path",
            "resource",
            "namespace",
            "name",
            "fieldSelector",
            "labelSelector",
            "requirements",
            "key",
            "operator",
            "values",
        ]
    )
    return st.lists(base, max_size=3) | st.dictionaries(
        keys | st.text(max_size=4), base, max_size=6
    )


words = st.sampled_from(
    [
        "*",
        "TokenReview",
        "SubjectAccessReview",
        "authentication.k8s.io/v1",
        "authorization.k8s.io/v1beta1",
        "get",
        "pods",
        "alice",
        "role:x",
        "system:masters",
        "In",
        "Exists",
        "/",
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=20)
values = st.recursive(scalars, of, max_leaves=12)
specs = st.fixed_dictionaries(
    {},
    optional={
        "token": values,
        "audiences": values,
        "user": words | st.text(max_size=30) | values,
        "groups": st.lists(words | st.text(max_size=9), max_size=4) | values,
        "group": values,
        "uid": values,
        "extra": st.dictionaries(st.text(max_size=5), st.lists(words, max_size=2)) | values,
        "resourceAttributes": of(scalars) | values,
        "nonResourceAttributes": of(scalars) | values,
    },
)
envelopes = st.sampled_from(
    [
        {"apiVersion": f"{group}/{version}", "kind": kind}
        for kind, group, _ in ENDPOINTS.values()
        for version in ("v1", "v1beta1")
    ]
)
reviews = st.builds(lambda envelope, spec: {**envelope, "spec": spec}, envelopes, specs | values)
mangled = st.builds(
    lambda path, at, junk: (
        (text := https.encode(review(path)))[: at % len(text)]
        + junk
        + text[at % len(text) + len(junk) :]
    ),
    st.sampled_from(sorted(ENDPOINTS)),
    st.integers(0, 400),
    st.binary(min_size=1, max_size=4),
)
bodies = (reviews | values).map(lambda value: json.dumps(value).encode()) | st.binary() | mangled


@pytest.mark.parametrize("path", ENDPOINTS)
def test_fuzzed_bodies_get_a_verdict_or_a_bad_request_and_never_a_yes(
    granting_server: AuthsvcServer, path: str
) -> None:
    """What is granted is granted to alice and her token alone, and needs every byte of them."""
    with granting_server.connect_as_api_server() as connection:

        @settings(max_examples=400, deadline=None, derandomize=True, database=None)
        @given(bodies)
        def ask(body: bytes) -> None:
            answer = connection.post(path, body)

            assert answer.status in {200, 400}
            if answer.status == 400:
                assert_kubernetes_status(answer, 400)
            elif is_granted(answer):
                asked = json.loads(body.decode(errors="replace"))["spec"]
                kind, _, granted = ENDPOINTS[path]
                assert kind == answer.json()["kind"]
                assert all(asked[key] == value for key, value in granted.items())

        ask()


LINES = [
    b"GET / HTTP/9.9",
    b"POST",
    b"",
    b"\x00\xff",
    b"POST /authorize HTTP/1.1",
    b"PRI * HTTP/2.0",
]
FIELDS = [b"Content-Length: -1", b"Content-Length: 5", b"Content-Length: 6", b"Content-Length: x"]
FIELDS += [b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Host: a", b" folded: 1"]
FIELDS += [b"Expect: 100-continue", b"No colon", b": empty", b"X: \xff\x00", b"Upgrade: h2c"]


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.sampled_from(LINES) | st.binary(max_size=40),
    st.lists(st.sampled_from(FIELDS) | st.binary(max_size=20), max_size=4),
    st.binary(max_size=10),
)
def test_fuzzed_heads_are_refused_or_wait_for_more(
    granting_server: AuthsvcServer, line: bytes, fields: list[bytes], body: bytes
) -> None:
    with granting_server.connect_as_api_server() as connection:
        connection.send(b"\r\n".join([line, *fields, b"", b""]) + body)
        connection.socket.settimeout(0.2)
        try:
            said = connection.socket.recv(65536)
        except OSError:
            said = b""

    assert said == b"" or re.match(rb"HTTP/1\.1 (1|2|4|501|505)", said)
    assert b'"authenticated":true' not in said
    assert b'"allowed":true' not in said
