"""Who may ask, and what everybody may ask."""

from __future__ import annotations

import ssl
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.reviews import (
    ENDPOINTS,
    PODS,
    assert_kubernetes_status,
    review,
)
from tests.parts import https
from tests.parts.authsvc_server import (
    AuthsvcServer,
    StartAuthsvc,
    access_review,
    free_port,
)
from tests.parts.certificates import Authority

both_endpoints = pytest.mark.parametrize("path", ENDPOINTS)


@both_endpoints
def test_without_a_client_certificate_a_review_is_refused_and_its_body_unread(
    granting_server: AuthsvcServer, path: str
) -> None:
    headers = [("Host", "127.0.0.1"), ("Content-Length", "1000")]
    with granting_server.connect() as connection:
        connection.send(https.head("POST", path, headers))  # and no body

        answer = connection.receive()

        assert_kubernetes_status(answer, 401)
        assert connection.is_closed_by_server()
    with granting_server.connect() as connection:
        assert_kubernetes_status(connection.post(path, review(path)), 401)


@both_endpoints
def test_a_client_certificate_of_another_authority_is_refused(
    granting_server: AuthsvcServer, tmp_path: Path, path: str
) -> None:
    stranger = Authority(tmp_path).issue("kube-apiserver-authsvc-client")

    with (
        pytest.raises((ssl.SSLError, ConnectionError)),
        granting_server.connect(stranger) as connection,
    ):
        connection.post(path, review(path))


def test_a_client_that_is_not_on_the_allow_list_is_refused_and_its_body_unread(
    tmp_path: Path, start_authsvc: StartAuthsvc
) -> None:
    authority = Authority(tmp_path)
    names = {"clientCAFile": str(authority.certificate), "allowedClientNames": ["api-1", "api-2"]}
    server = start_authsvc(settings={"server": {"tls": names}})
    headers = [("Host", "127.0.0.1"), ("Content-Length", "1000")]

    with server.connect(authority.issue("api-2")) as connection:
        assert connection.post("/authorize", access_review(PODS)).status == 200
    for name in ("api-3", "api", "API-1", "api-1,api-2"):
        with server.connect(authority.issue(name)) as connection:
            connection.send(https.head("POST", "/authenticate", headers))
            assert_kubernetes_status(connection.receive(), 403)
            assert connection.is_closed_by_server()
        with server.connect(authority.issue(name)) as connection:
            assert_kubernetes_status(connection.post("/authorize", access_review(PODS)), 403)


def test_without_an_allow_list_every_client_of_the_authority_may_ask(
    tmp_path: Path, start_authsvc: StartAuthsvc
) -> None:
    authority = Authority(tmp_path)
    everyone = {"clientCAFile": str(authority.certificate), "allowedClientNames": []}
    server = start_authsvc(settings={"server": {"tls": everyone}})

    with server.connect(authority.issue("whoever")) as connection:
        assert connection.post("/authorize", access_review(PODS)).status == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/readyz?verbose", "/metrics"])
def test_probes_need_no_client_certificate(granting_server: AuthsvcServer, path: str) -> None:
    assert granting_server.get(path).status == 200


def test_probes_have_a_listener_of_their_own_where_configured(start_authsvc: StartAuthsvc) -> None:
    port = free_port()
    server = start_authsvc(settings={"server": {"probes": {"bind": f"127.0.0.1:{port}"}}})

    with https.connect(port) as connection:
        for path in ("/livez", "/readyz", "/metrics"):
            assert connection.request("GET", path).status == 200
        for path in ENDPOINTS:
            answer = connection.post(path, review(path))
            assert answer.status == 404
            if answer.headers["Connection"] == "close":
                break
    assert server.get("/livez").status == 200


def test_those_without_a_certificate_do_not_keep_out_the_api_server(
    start_authsvc: StartAuthsvc,
) -> None:
    server = start_authsvc(settings={"server": {"workers": 1, "maxConnections": 20}})
    with ExitStack() as stack:
        strangers = [stack.enter_context(server.connect()) for _ in range(30)]
        for each in strangers[-2:]:
            assert each.request("GET", "/livez").status == 200
        assert strangers[0].is_closed_by_server()

        callers = [stack.enter_context(server.connect_as_api_server()) for _ in range(20)]
        for caller in callers:
            assert caller.post("/authorize", access_review(PODS)).status == 200


def test_a_header_that_names_a_client_is_no_client_certificate(
    granting_server: AuthsvcServer,
) -> None:
    body = https.encode(review("/authorize"))
    forged = [
        *https.usual(body),
        ("X-Remote-User", "kube-apiserver-authsvc-client"),
        ("X-Forwarded-Client-Cert", 'Subject="CN=kube-apiserver-authsvc-client"'),
        ("X-SSL-Client-Verify", "SUCCESS"),
        ("Client-Cert", ":MIIB:"),
    ]
    with granting_server.connect() as connection:
        assert connection.request("POST", "/authorize", body, forged).status == 401
