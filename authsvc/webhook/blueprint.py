"""The reviews as Flask routes, for any WSGI server: the same endpoints, another carrier."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, request

from authsvc.webhook.reviews import Answer, Endpoint, failure

ANY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def blueprint(endpoints: Mapping[str, Endpoint]) -> Blueprint:
    """Return the routes of the reviews."""
    routes = Blueprint("reviews", __name__)
    for path, endpoint in endpoints.items():
        routes.add_url_rule(
            path,
            endpoint.name,
            _view(endpoint),
            methods=ANY_METHOD,  # so that the refusal of the others is ours, a Status
            provide_automatic_options=False,
        )
    return routes


def _view(endpoint: Endpoint):  # type: ignore[no-untyped-def]  # Flask's own view type is a union of all there is
    def view() -> Response:
        answer = endpoint.refusal(request.method, client_names(), request.content_length)
        if answer is None:
            request.max_content_length = endpoint.max_body
            body = request.get_data(cache=False)
            answer = endpoint.handler.handle(body)
        return respond(endpoint.count(answer))

    return view


def respond(answer: Answer) -> Response:
    """Return an answer as Flask's."""
    response = Response(answer.body, answer.status, content_type="application/json")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def client_names() -> frozenset[str] | None:
    """Return the names of the client's verified certificate, None where it has none.

    The server says them: gunicorn's threaded worker by the socket itself.
    """
    from authsvc.webhook.clientcert import names_of

    socket = request.environ.get("gunicorn.socket")
    if socket is None or not hasattr(socket, "getpeercert"):
        return None
    return names_of(socket.getpeercert())


def not_found() -> Response:
    """Return the answer to a path that is nobody's."""
    return respond(failure(404, "no such path"))
