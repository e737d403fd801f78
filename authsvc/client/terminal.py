"""Talking with the person: notices on stderr, questions on the terminal.

Never on stdout: that is kubectl's. Questions go to /dev/tty, whatever stdin
is, or to the program that AUTHSVC_ASKPASS names (as ssh does with SSH_ASKPASS).
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from typing import TextIO

from authsvc.client.errors import ClientError


def say(text: str) -> None:
    """Show a notice."""
    print(text, file=sys.stderr, flush=True)


def ask(question: str, environment: Mapping[str, str], *, secret: bool = False) -> str:
    """Return the person's answer to ``question``; a ``secret`` one is not shown.

    Raises:
        ClientError: there is nobody to ask, or no answer.
    """
    askpass = environment.get("AUTHSVC_ASKPASS")
    return _ask_program(askpass, question) if askpass else _ask_terminal(question, secret=secret)


def _ask_program(program: str, question: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # the user's own choice
            [program, question], stdout=subprocess.PIPE, text=True, check=False
        )
    except (OSError, UnicodeDecodeError):
        raise ClientError(f"cannot run {program}: set AUTHSVC_ASKPASS to a program") from None
    if done.returncode != 0:
        raise ClientError(f"{program} gave no answer: log in again to be asked once more")
    return done.stdout.removesuffix("\n")


def _ask_terminal(question: str, *, secret: bool) -> str:
    with _terminal() as terminal:
        terminal.write(question)
        terminal.flush()
        with _echo_off(terminal) if secret else contextlib.nullcontext():
            answer = terminal.readline()
    if not answer.endswith("\n"):
        raise ClientError("the terminal was closed before an answer: log in again")
    return answer.removesuffix("\n")


@contextlib.contextmanager
def _terminal() -> Iterator[TextIO]:
    try:
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise ClientError(
            "there is no terminal to ask on: log in from one, or set AUTHSVC_ASKPASS to a program"
        ) from None
    with io.TextIOWrapper(io.FileIO(descriptor, "w+"), write_through=True) as terminal:
        yield terminal


@contextlib.contextmanager
def _echo_off(terminal: TextIO) -> Iterator[None]:
    """Leave the terminal as it was, also when Ctrl-C ends the wait.

    Ctrl-C ends kubectl first: then this is a background process, which SIGTTOU
    would stop before the terminal is as it was.
    """
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    before = termios.tcgetattr(terminal)
    silent = [*before]
    silent[3] &= ~termios.ECHO
    try:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, silent)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
        terminal.write("\n")
