"""What is the WSGI carrier's own: threads, bodies without a length, who says who the client is."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from types import MappingProxyType
from typing import Any

import pytest

from authsvc.webhook.reviews import (
    BEGINNING,
    MAX_DRAINED,
    MAX_OTHER_BODY,
    Answer,
    ClientCheck,
    Endpoint,
)
from authsvc.webhook.wsgi import (
    BEFORE_WAITING,
    CLIENT_IS_VERIFIED,
    Environ,
    ReviewsWSGI,
    StartResponse,
)
from tests.webhook.carriers import DeniesTooLarge, RefusesTooLarge

LIMIT = 100


class Directory(RefusesTooLarge):
    """A handler whose answers wait until they are let go; ``"now"`` is answered at once."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.answers = threading.Event()

    def handle_nowait(self, body: bytes) -> Answer | None:
        return Answer(200, b"at once") if body == b"now" else None

    def handle(self, body: bytes) -> Answer:
        self.asked.release()
        assert self.answers.wait(20)
        return Answer(200, body)

    def busy(self, _body: bytes) -> Answer:
        return Answer(503, b"busy")


def flask(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


def ask(
    application: ReviewsWSGI,
    body: bytes = b"",
    path: str = "/review",
    more: Mapping[str, Any] = MappingProxyType({}),
) -> int:
    """Return the status of the answer."""
    said: list[str] = []
    environ = {
        "PATH_INFO": path,
        "REQUEST_METHOD": "POST",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        **more,
    }
    list(application(environ, lambda status, _headers: said.append(status)))
    return int(said[0].split()[0])


def carrying(handler: Directory, *, waiting: int = 1, required: bool = False) -> ReviewsWSGI:
    endpoint = Endpoint("test", handler, ClientCheck(required=required), LIMIT)
    return ReviewsWSGI({"/review": endpoint}, flask, waiting=waiting, nowait_paths=["/livez"])


def test_when_all_that_may_wait_do_only_what_waits_is_refused() -> None:
    directory = Directory()
    application = carrying(directory, waiting=2)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(ask, application, b"slow") for _ in range(2)]
        try:
            for _ in waiting:
                assert directory.asked.acquire(timeout=20)

            assert ask(application, b"slow") == 503
            assert ask(application, path="/oauth2/token") == 503
            assert ask(application, b"now") == 200
            assert ask(application, path="/livez") == 200
        finally:
            directory.answers.set()
        assert [future.result() for future in waiting] == [200, 200]
    assert ask(application, b"slow") == 200
    assert ask(application, path="/oauth2/token") == 200


def test_a_server_hears_of_a_request_that_waits_and_of_no_other() -> None:
    heard: list[None] = []
    hear = {BEFORE_WAITING: lambda: heard.append(None)}
    directory = Directory()
    directory.answers.set()
    application = carrying(directory)
    ask(application, b"now", more=hear)
    ask(application, path="/livez", more=hear)
    assert not heard
    ask(application, b"slow", more=hear)
    assert len(heard) == 1
    ask(application, path="/oauth2/token", more=hear)
    assert len(heard) == 2


def test_what_is_no_review_has_its_body_when_it_is_asked() -> None:
    def echo(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body: bytes = environ["wsgi.input"].read()
        start_response("200 OK" if body == b"a=b" else "400 Bad Request", [])
        return [body]

    application = ReviewsWSGI({}, echo, waiting=1)
    assert ask(application, b"a=b", path="/oauth2/token") == 200
    assert ask(application, b"x" * (MAX_OTHER_BODY + 1), path="/oauth2/token") == 413
    assert ask(application, b"a", path="/oauth2/token", more={"CONTENT_LENGTH": "2"}) == 408


def test_a_body_without_a_length_is_read_where_the_server_ends_it() -> None:
    application = carrying(Directory())
    unannounced = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    assert ask(application, b"now", more=unannounced) == 200
    assert ask(application, b"x" * (LIMIT + 1), more=unannounced) == 413


class Denying(DeniesTooLarge, Directory):
    """Answers what is too large."""


@pytest.mark.parametrize("length", [str(10 * BEGINNING), ""], ids=["announced", "unannounced"])
def test_a_body_over_the_limit_is_drained_for_an_answer(length: str) -> None:
    body = BytesIO(b"x" * 10 * BEGINNING)
    said = {"CONTENT_LENGTH": length, "wsgi.input": body, "wsgi.input_terminated": True}
    assert ask(carrying(Denying()), more=said) == 200
    assert body.tell() == 10 * BEGINNING


def test_a_body_over_the_limit_is_not_drained_without_an_end() -> None:
    class Endless:
        taken = 0

        def read(self, size: int) -> bytes:
            self.taken += size
            return b"x" * size

    body = Endless()
    said = {"CONTENT_LENGTH": str(2 * MAX_DRAINED), "wsgi.input": body}
    assert ask(carrying(Denying()), more=said) == 200
    assert body.taken == MAX_DRAINED


def test_a_body_without_a_length_is_not_waited_for_where_nobody_ends_it() -> None:
    class Endless:
        def read(self, *_: int) -> bytes:
            raise AssertionError("this would wait for ever")

    directory = Directory()
    directory.answers.set()
    assert ask(carrying(directory), more={"CONTENT_LENGTH": "", "wsgi.input": Endless()}) == 200


@pytest.mark.parametrize("length", ["-1", "x", "³"])
def test_a_length_that_is_no_number_is_none(length: str) -> None:
    directory = Directory()
    directory.answers.set()
    assert ask(carrying(directory), b"x" * 200, more={"CONTENT_LENGTH": length}) == 200


def test_a_length_may_begin_with_more_zeros_than_python_converts() -> None:
    length = "0" * 5000 + "3"
    assert ask(carrying(Directory()), b"now", more={"CONTENT_LENGTH": length}) == 200


def test_a_body_that_ends_too_early_is_refused() -> None:
    assert ask(carrying(Directory()), b"now", more={"CONTENT_LENGTH": "4"}) == 408


@pytest.mark.parametrize(
    ("said", "status"), [({CLIENT_IS_VERIFIED: True}, 200), ({CLIENT_IS_VERIFIED: "True"}, 401)]
)
def test_only_the_server_can_vouch_for_a_client(said: Environ, status: int) -> None:
    assert ask(carrying(Directory(), required=True), b"now", more=said) == status


def test_a_header_of_that_name_vouches_for_nobody() -> None:
    header = {f"HTTP_{CLIENT_IS_VERIFIED.upper()}": "1", CLIENT_IS_VERIFIED.upper(): True}
    assert ask(carrying(Directory(), required=True), b"now", more=header) == 401
