"""The bare minimum a review could cost: the body is read, a constant of the same size is sent."""

from __future__ import annotations

from typing import Any

_BODIES = {
    "/authorize": (
        b'{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":'
        b'{"allowed":true,"reason":"allowed by policy/rows.csv:420 via group:team-7 '
        b'\xe2\x86\x92 role:r7 in ns-7"}}'
    ),
    "/authenticate": (
        b'{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","status":'
        b'{"authenticated":true,"user":{"username":"user-123","uid":"123","groups":'
        b'["a-3","b-3","c-3","team-3"],"extra":{}}}}'
    ),
}


_HEADERS = (("content-type", "application/json"), ("x-content-type-options", "nosniff"))


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    """Answer any request the same, by WSGI."""
    environ["wsgi.input"].read()
    body = _BODIES[environ["PATH_INFO"]]
    start_response("200 OK", [*_HEADERS, ("content-length", str(len(body)))])
    return [body]


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Answer any request the same, by ASGI."""
    while (await receive()).get("more_body"):
        pass
    body = _BODIES[scope["path"]]
    headers = [(name.encode(), value.encode()) for name, value in _HEADERS]
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
