"""The reviews as Flask routes, for any WSGI server: the same endpoints, another carrier."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from authsvc.webhook.clientcert import names_of
from authsvc.webhook.reviews import Answer, Endpoint, failure, headers_of, too_large

ANY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def blueprint(endpoints: Mapping[str, Endpoint]) -> Blueprint:
    """Return the routes of the reviews."""
    routes = Blueprint("reviews", __name__)
    for path, endpoint in endpoints.items():
        routes.add_url_rule(
            path,
            path.strip("/").replace("/", "-"),
            _view(endpoint),
            methods=ANY_METHOD,  # so that the refusal of the others is ours, a Status
            provide_automatic_options=False,
        )
    return routes


def _view(endpoint: Endpoint) -> Callable[[], Response]:
    def view() -> Response:
        answer = endpoint.refusal(request.method, client_names(), request.content_length)
        if answer is None:
            answer = _answer(endpoint)
        return respond(endpoint.count(answer))

    return view


def _answer(endpoint: Endpoint) -> Answer:
    request.max_content_length = endpoint.max_body
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:  # without a Content-Length that says so before
        return too_large(endpoint.max_body)
    return endpoint.handle(body)


def respond(answer: Answer) -> Response:
    """Return an answer as Flask's."""
    return Response(answer.body, answer.status, headers_of(answer.status))


def client_names() -> frozenset[str] | None:
    """Return the names of the client's verified certificate, None where it has none.

    The server says them: gunicorn's threaded worker by the socket itself.
    """
    socket = request.environ.get("gunicorn.socket")
    if socket is None or not hasattr(socket, "getpeercert"):
        return None
    return names_of(socket.getpeercert())


def not_found() -> Response:
    """Return the answer to a path that is nobody's."""
    return respond(failure(404, "no such path"))
