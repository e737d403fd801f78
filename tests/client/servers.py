"""The servers that the plugin and kubectl talk to: TLS on loopback, with a mind of their own.

``Issuer`` is a token endpoint that can also misbehave; what a real provider
does is tested with one (tests.parts.openid_provider). ``APIServer`` plays the
endpoints of a kube-apiserver that kubectl asks here.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, urlsplit


class Asked(NamedTuple):
    """A request; ``authorization`` is its header, or empty."""

    method: str
    path: str
    authorization: str
    body: str

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body, keep_blank_values=True))


class Answer(NamedTuple):
    """A status, a body (JSON unless it is bytes) and its type."""

    status: int
    body: object
    kind: str = "application/json"


class TLSServer:
    """Answers by ``answer`` on a free port until the ``with`` block ends."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.asked: list[Asked] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked = Asked(
                    str(self.command),
                    urlsplit(self.path).path,
                    self.headers.get("Authorization", ""),
                    self._body().decode(),
                )
                server.asked.append(asked)
                given = server.answer(asked)
                is_bytes = isinstance(given.body, bytes)
                content = given.body if is_bytes else json.dumps(given.body).encode()
                assert isinstance(content, bytes)
                self.send_response(given.status)
                self.send_header("Content-Type", given.kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815  # named by http.server

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b""  # `kubectl create --raw` does not know how long it is
                while length := int(self.rfile.readline(), 16):
                    body += self.rfile.read(length)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its signature
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that gives up is part of the tests."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def answer(self, asked: Asked) -> Answer:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it, so that its port refuses connections."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def jwt(**claims: Any) -> str:
    """Make a JWT that nobody has signed: the plugin does not look."""
    parts = [json.dumps({"alg": "ES256"}), json.dumps(claims), "not a signature"]
    return ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)


class Issuer(TLSServer):
    """A token endpoint: alice's password is ``wonderland``; refresh tokens rotate.

    ``lifetime`` and ``clock_error`` are seconds; ``token_answer``, if set,
    answers the token endpoint instead; ``metadata`` is added to its own.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(certificate, key)
        self.lifetime = 600.0
        self.clock_error = 0.0
        self.user = "alice"
        self.metadata: dict[str, object] = {}
        self.token_answer: Callable[[Asked], Answer] | None = None
        self.refresh_tokens: set[str] = set()
        self.issued: list[str] = []
        self._lock = threading.Lock()

    def grants(self, kind: str) -> int:
        """Return how many requests of a grant type the token endpoint has had."""
        return sum(
            asked.form.get("grant_type") == kind for asked in self.asked if asked.path == "/token"
        )

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/.well-known/openid-configuration":
            return Answer(
                200,
                {
                    "issuer": self.url,
                    "token_endpoint": f"{self.url}/token",
                    "revocation_endpoint": f"{self.url}/revoke",
                    "grant_types_supported": ["password", "refresh_token"],
                    "scopes_supported": ["openid"],
                    **self.metadata,
                },
            )
        if asked.path == "/revoke":
            self.refresh_tokens.discard(asked.form["token"])
            return Answer(200, b"")
        if asked.path == "/token":
            return (self.token_answer or self._token)(asked)
        return Answer(404, b"not here", "text/plain")

    def _token(self, asked: Asked) -> Answer:
        form = asked.form
        with self._lock:
            if form["grant_type"] == "password":
                good = (form["username"], form["password"]) == ("alice", "wonderland")
            elif form["grant_type"] == "refresh_token":
                good = form["refresh_token"] in self.refresh_tokens
                self.refresh_tokens.discard(form["refresh_token"])
            else:
                good = True
            if not good:
                refusal = {"error": "invalid_grant", "error_description": "not\x1b[31m good"}
                return Answer(400, refusal)
            return Answer(200, self.new_tokens())

    def new_tokens(self) -> dict[str, object]:
        """Issue a pair of tokens."""
        now = time.time() + self.clock_error
        number = len(self.issued) + 1
        token = jwt(iss=self.url, sub=self.user, iat=now, exp=now + self.lifetime, jti=f"{number}")
        refresh_token = f"refresh-{number}"
        self.issued.append(token)
        self.refresh_tokens.add(refresh_token)
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "refresh_token": refresh_token,
        }


_RESOURCES: Mapping[str, tuple[tuple[str, str, bool, tuple[str, ...]], ...]] = {
    "v1": (("pods", "Pod", True, ("po",)), ("nodes", "Node", False, ("no",))),
    "apps/v1": (("deployments", "Deployment", True, ("deploy",)),),
}


class APIServer(TLSServer):
    """Lists one pod, knows who you are and whether you may, for the tokens in ``knows``.

    ``verdict`` is the status of every access review.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        super().__init__(certificate, key)
        self.knows: Callable[[str], bool] = bool
        self.verdict: dict[str, object] = {"allowed": True, "reason": "allowed by team.csv:3"}

    def reviews(self, kind: str) -> list[dict[str, Any]]:
        """Return the reviews of a kind that were posted."""
        posted = [json.loads(asked.body) for asked in self.asked if asked.method == "POST"]
        return [review for review in posted if review["kind"] == kind]

    def answer(self, asked: Asked) -> Answer:
        if not self.knows(asked.authorization.removeprefix("Bearer ")):
            status = {"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 401}
            return Answer(401, {**status, "reason": "Unauthorized", "message": "Unauthorized"})
        if asked.method == "POST":
            return Answer(201, self._review(json.loads(asked.body)))
        found = self._documents().get(asked.path)
        return Answer(404, b"not here", "text/plain") if found is None else Answer(200, found)

    def _review(self, review: dict[str, Any]) -> dict[str, Any]:
        user = {"username": "alice", "uid": "7", "groups": ["dev", "system:authenticated"]}
        is_self = review["kind"] == "SelfSubjectReview"
        return {**review, "status": {"userInfo": user} if is_self else self.verdict}

    def _documents(self) -> dict[str, object]:
        pod = {"metadata": {"name": "web-0", "namespace": "default"}}
        group = {"groupVersion": "apps/v1", "version": "v1"}
        groups = [{"name": "apps", "versions": [group], "preferredVersion": group}]
        documents: dict[str, object] = {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
            "/api/v1/namespaces/default/pods": {
                "kind": "PodList",
                "apiVersion": "v1",
                "metadata": {},
                "items": [{"kind": "Pod", "apiVersion": "v1", **pod}],
            },
        }
        for version, resources in _RESOURCES.items():
            path = f"/api/{version}" if version == "v1" else f"/apis/{version}"
            documents[path] = {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": version,
                "resources": [
                    {
                        "name": name,
                        "singularName": kind.lower(),
                        "kind": kind,
                        "namespaced": namespaced,
                        "shortNames": short,
                        "verbs": ["get", "list"],
                    }
                    for name, kind, namespaced, short in resources
                ],
            }
        return documents
