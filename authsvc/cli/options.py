"""Options and words that several commands share."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from authsvc.config.model import Configuration, IssuingSettings

F = TypeVar("F", bound=Callable[..., Any])

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def config_option(command: F) -> F:
    """Add ``--config``."""
    return click.option(
        "--config",
        "file",
        required=True,
        envvar="AUTHSVC_CONFIG",
        show_envvar=True,
        type=click.Path(path_type=Path, dir_okay=False),
        help="The configuration file.",
    )(command)


def config_argument(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--config``, and ``FILE`` for who gives it as an argument instead."""

    @click.argument(
        "argument",
        metavar="[FILE]",
        required=False,
        type=click.Path(path_type=Path, dir_okay=False),
    )
    @click.option(
        "--config",
        "option",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The configuration file; or FILE, or the variable AUTHSVC_CONFIG.",
    )
    @wraps(command)
    def taking(argument: Path | None, option: Path | None, **others: Any) -> None:
        if argument is not None and option is not None:
            raise click.UsageError("FILE and --config are two answers to one question")
        named = os.environ.get("AUTHSVC_CONFIG")
        file = argument or option or (Path(named) if named else None)
        if file is None:
            raise click.UsageError("Which configuration file? Give FILE or --config.")
        command(file=file, **others)

    return taking


def token_on_stdin() -> str:
    """Return the line on stdin; a terminal is asked for it, and does not show it.

    From stdin: an argument would be seen by everybody who can list processes.
    """
    if sys.stdin.isatty():
        return str(click.prompt("Token", hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def duration(value: str) -> float:
    """Read a time such as 90s, 15m, 12h or 7d, in seconds; the type of an option."""
    match = re.fullmatch(r"([0-9]+)([smhd])", value)
    if match is None:
        raise click.BadParameter(f"expected a time such as 90s, 15m, 12h or 7d, got {value!r}")
    return float(match[1]) * _UNITS[match[2]]


def issuing_of(configuration: Configuration) -> IssuingSettings:
    """Return the issuer's settings.

    Raises:
        InvalidConfigurationError: there is no issuer.
    """
    from authsvc.errors import ConfigError, InvalidConfigurationError

    if configuration.issuing is None:
        message = f"{configuration.file} configures no issuer"
        raise InvalidConfigurationError([ConfigError("issuer", message)])
    return configuration.issuing


def utc(moment: float) -> str:
    """Return a time as people and programs read it; a dash for none."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)) if moment else "-"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under heads, as wide as they need; nothing in them moves the terminal."""
    safe = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *safe, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *safe)
    )
    return "\n".join(lines)


def printable(text: str) -> str:
    """Return a text of others' so that it moves no terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)
