"""The service's own log: structured lines on stderr, whoever writes them.

Libraries log through `logging` and come out in the same form, but never below
WARNING: at their debug level some print requests with the credentials in them.
For the same reason the text of an exception that is not one of ours stays out:
a parser's error likes to quote what it choked on, which here may be a token.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

from authsvc.errors import AuthsvcError


def configure(level: str = "info", form: str = "json") -> None:
    """Send structlog and `logging` to stderr; ``form`` is ``json`` or ``console``."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _show_exception,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
    # The server's own words (started, stopping) are worth the level asked for.
    logging.getLogger("gunicorn.error").setLevel(max(number, logging.INFO))


def _show_exception(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace ``exc_info`` by where it happened: kinds, files and lines, no values."""
    given = event.pop("exc_info", None)
    if isinstance(given, tuple):
        given = given[1]
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if error is not None:
        event["exception"] = "\n".join(_lines(error))
    return event


def _lines(error: BaseException) -> list[str]:
    lines = []
    cause: BaseException | None = error
    while cause is not None:
        text = f": {cause}" if isinstance(cause, AuthsvcError) else ""
        lines.append(f"{type(cause).__module__}.{type(cause).__qualname__}{text}")
        lines += [
            f"  {frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(cause.__traceback__)
        ]
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return lines
