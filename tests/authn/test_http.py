"""An exchange with a provider is verified, bounded in time and size, and follows nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from pathlib import Path

import pytest

from authsvc.authn.http import HTTPClient
from authsvc.authn.http_settings import HTTPSettings, url_fault
from authsvc.errors import BackendError, InvalidConfigurationError
from tests.parts.certificates import Authority
from tests.parts.web_server import Answer, NewWebServer

NewClient = Callable[..., HTTPClient]


@pytest.fixture
def new_client() -> Iterator[NewClient]:
    made: list[HTTPClient] = []

    def make(**settings: object) -> HTTPClient:
        made.append(HTTPClient(HTTPSettings(**settings), "test"))  # type: ignore[arg-type]  # as given
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_a_document_is_got(new_client: NewClient, new_web_server: NewWebServer) -> None:
    server = new_web_server(lambda asked: Answer({"path": asked.path, "query": asked.query}))

    response = new_client().get(f"{server.url}/a?b=c", {"X-Y": "z"})

    assert response.json_object() == {"path": "/a", "query": {"b": ["c"]}}
    assert response.url == f"{server.url}/a"
    assert server.asked[0].headers["x-y"] == "z"


def test_a_form_is_posted(new_client: NewClient, new_web_server: NewWebServer) -> None:
    server = new_web_server(lambda asked: Answer(dict(asked.form)))

    response = new_client().post(f"{server.url}/", {"token": "a&b=ü"})

    assert response.json() == {"token": ["a&b=ü"]}


def test_a_redirect_is_an_answer(new_client: NewClient, new_web_server: NewWebServer) -> None:
    server = new_web_server(Answer(status=307, headers={"Location": "/other"}))

    assert new_client().post(f"{server.url}/", {"token": "t"}).status == 307
    assert server.paths() == ["/"]


def test_a_certificate_of_the_configured_authority_is_needed(
    new_client: NewClient, new_web_server: NewWebServer, tmp_path: Path
) -> None:
    ours, other = Authority(tmp_path, "ours"), Authority(tmp_path, "other")
    server = new_web_server(Answer({}), tls=ours.server_tls("127.0.0.1"))

    assert new_client(ca_file=ours.certificate).get(server.url).status == 200
    assert new_client(ca_data=ours.certificate.read_text()).get(server.url).status == 200
    for client in (new_client(), new_client(ca_file=other.certificate)):
        with pytest.raises(BackendError, match="certificate verify failed"):
            client.get(server.url)
    assert len(server.asked) == 2


def test_a_certificate_for_another_host_is_refused(
    new_client: NewClient, new_web_server: NewWebServer, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    server = new_web_server(Answer({}), tls=authority.server_tls("provider.test"))

    with pytest.raises(BackendError, match="certificate verify failed"):
        new_client(ca_file=authority.certificate).get(server.url)


def drip(answer: bytes, over: threading.Event) -> Callable[[BufferedIOBase], None]:
    def write(out: BufferedIOBase) -> None:
        for byte in answer:
            out.write(bytes([byte]))
            out.flush()
            if over.wait(0.05):
                return

    return write


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000, b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000],
    ids=["headers", "body"],
)
def test_an_answer_that_drips_is_over_at_the_deadline(
    new_client: NewClient, new_web_server: NewWebServer, answer: bytes
) -> None:
    over = threading.Event()
    server = new_web_server(raw=drip(answer, over))

    with pytest.raises(BackendError, match="no answer in time"):
        new_client(timeout=0.3).get(server.url)

    over.set()


def test_one_deadline_holds_for_several_exchanges(
    new_client: NewClient, new_web_server: NewWebServer
) -> None:
    server = new_web_server(Answer({}))

    with pytest.raises(BackendError, match="no answer in time"):
        new_client().get(server.url, deadline=time.monotonic() - 1)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 2",
        b"not HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 200_000 + b"\r\n\r\n",
    ],
    ids=lambda answer: repr(answer[:20]),
)
def test_an_answer_that_is_broken_is_a_failure(
    new_client: NewClient, new_web_server: NewWebServer, answer: bytes
) -> None:
    server = new_web_server(raw=lambda out: out.write(answer))

    with pytest.raises(BackendError):
        new_client().get(server.url)


def test_a_refused_connection_is_a_failure(
    new_client: NewClient, new_web_server: NewWebServer
) -> None:
    server = new_web_server()
    client = new_client()
    url = server.url
    server.stop()

    with pytest.raises(BackendError, match="refused"):
        client.get(url)


def test_a_connection_that_died_while_idle_is_replaced(
    new_client: NewClient, new_web_server: NewWebServer
) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"  # and then it closes, unannounced
    server = new_web_server(raw=lambda out: out.write(answer))
    client = new_client()

    for _ in range(3):
        assert client.get(server.url).json() == {}
    assert len(server.asked) == 3


def test_requests_go_through_the_configured_proxy(
    new_client: NewClient, new_web_server: NewWebServer
) -> None:
    proxy = new_web_server(Answer({"by": "proxy"}))
    client = new_client(proxy=proxy.url.replace("//", "//user:p%40ss@"))

    # The address of a target that does not exist: only the proxy can answer.
    assert client.get("http://127.0.0.1:1/keys").json() == {"by": "proxy"}
    assert proxy.asked[0].headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"


@pytest.mark.parametrize(
    "url",
    [
        "http://provider.test/keys",
        "http://10.0.0.1/",
        "http://127.0.0.1.provider.test/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://",
        "https://user:secret@provider.test/",
        "https://provider.test/#fragment",
        "https://provider.test:port/",
        "https://provider test/",
        "https://anbieter-größe.test/",
        "https://provider.test/schlüssel",
        "https://[::1",
        "provider.test",
        "",
    ],
)
def test_a_url_that_is_not_https_or_loopback_is_never_asked(
    new_client: NewClient, url: str
) -> None:
    assert url_fault(url)
    with pytest.raises(BackendError) as failure:
        new_client().get(url)
    assert "in time" not in str(failure.value)
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://provider.test",
        "https://provider.test:8443/a?b=c",
        "http://127.0.0.1:80/",
        "http://[::1]:1/",
        "http://localhost/",
    ],
)
def test_a_url_that_is_https_or_loopback_may_be_asked(url: str) -> None:
    assert url_fault(url) is None


def test_an_authority_that_cannot_be_read_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n", encoding="ascii")

    with pytest.raises(InvalidConfigurationError, match="authenticator x"):
        HTTPClient(HTTPSettings(ca_file=file), "x")
