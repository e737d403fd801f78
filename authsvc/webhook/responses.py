"""Answers in the form that Flask's routes return."""

from __future__ import annotations

from flask import Response

from authsvc.webhook.reviews import Answer, failure, headers_of


def respond(answer: Answer) -> Response:
    """Return an answer as Flask's."""
    return Response(answer.body, answer.status, headers_of(answer.status))


def not_found() -> Response:
    """Return the answer to a path that is nobody's."""
    return respond(failure(404, "no such path"))
