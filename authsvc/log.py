"""The service's own log: structured lines on stderr, whoever writes them.

Libraries log through `logging` and come out in the same form, but never below
WARNING: at their debug level some print requests with the credentials in them.
"""

from __future__ import annotations

import logging
import sys

import structlog


def configure(level: str = "info", form: str = "json") -> None:
    """Send structlog and `logging` to stderr; ``form`` is ``json`` or ``console``."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Plain tracebacks: the rich ones print local variables, tokens among them.
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
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
