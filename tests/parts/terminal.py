"""A terminal for programs that ask: a pty, with somebody who reads and types.

    with Terminal(["kubectl", "authsvc", "login"], environment) as terminal:
        terminal.wait_for("Password")
        terminal.press("secret\\n")
        assert terminal.wait() == 0

The program is the leader of its own session on it, so /dev/tty is this
terminal and Ctrl-C reaches it as from a keyboard.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import pytest

_SECONDS = 30
# Who started the tests with nohup, or in the background, ignores these, and so would all below.
_AS_FROM_A_SHELL = ("env", "--default-signal=HUP,INT,QUIT")


class Terminal:
    """A running program and its terminal; ``screen`` is all that it has shown."""

    def __init__(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        columns: int = 120,
        stdout: int | None = None,
    ) -> None:
        """Start it; ``stdout`` may go elsewhere, as under kubectl."""
        self.screen = ""
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (50, columns))
        self._slave = slave  # kept open: the terminal outlives the program
        self.process = subprocess.Popen(
            [*_AS_FROM_A_SHELL, "setsid", "--ctty", "--wait", *command],
            stdin=slave,
            stdout=slave if stdout is None else stdout,
            stderr=slave,
            env=dict(environment),
        )

    def wait_for(self, text: str) -> str:
        """Read until the program has shown ``text``; return all that it has shown."""
        end = time.monotonic() + _SECONDS
        while text not in self.screen:
            if self.process.poll() is not None and not self._read(0):
                pytest.fail(f"the program ended before it showed {text!r}:\n{self.screen}")
            self._read(0.05)
            if time.monotonic() > end:
                pytest.fail(f"the program did not show {text!r}:\n{self.screen}")
        return self.screen

    def wait_for_echo(self, *, shown: bool) -> None:
        """Wait until what is typed is shown, or no longer shown."""
        end = time.monotonic() + _SECONDS
        while bool(termios.tcgetattr(self._slave)[3] & termios.ECHO) != shown:
            if time.monotonic() > end:
                pytest.fail(f"what is typed is{' not' if shown else ''} shown")
            time.sleep(0.01)

    def press(self, text: str) -> None:
        """Press these keys; ``\\x03`` is Ctrl-C."""
        os.write(self._master, text.encode())

    def wait(self) -> int:
        """Wait for the program's end; return its exit status."""
        end = time.monotonic() + _SECONDS
        while self.process.poll() is None:
            self._read(0.05)
            if time.monotonic() > end:
                pytest.fail(f"the program does not end:\n{self.screen}")
        while self._read(0):
            pass
        return self.process.returncode

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return False
        self.screen += os.read(self._master, 65536).decode(errors="replace")
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)
