"""``authsvc demo`` as a newcomer runs it: what it shows, what it tells to paste, what it leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.parts.terminal import Terminal
from tests.parts.waiting import eventually

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
# One at a time: each takes the usual port where it is free, which another could take meanwhile.
pytestmark = pytest.mark.xdist_group("demo")
LAST_LINE = "readyz?verbose'"


def environment(home: Path) -> dict[str, str]:
    programs = Path(sys.executable).parent
    return {"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}", "LANG": "C"}


@contextmanager
def demo(home: Path) -> Iterator[Terminal]:
    """Run the demo in a terminal until it has told all."""
    folder = home / "demo"
    command = (sys.executable, "-m", "authsvc", "demo", "--dir", folder)
    with Terminal(command, environment(home), columns=400) as terminal:
        try:
            terminal.wait_for(LAST_LINE)
            yield terminal
        finally:
            terminal.process.terminate()
            terminal.wait()


def text(terminal: Terminal) -> str:
    """Return what the terminal shows, without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", terminal.screen).replace("\r\n", "\n")


def port_of(terminal: Terminal) -> int:
    found = re.search(r"serving  https://127\.0\.0\.1:(\d+)", text(terminal))
    assert found
    return int(found[1])


def is_served(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def general(shown: str) -> str:
    """Return what is shown, without what each run has of its own."""
    shown = re.sub(r"(folder   )\S+", r"\1FOLDER", shown)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", shown)


def test_the_readme_shows_what_the_demo_prints(tmp_path: Path) -> None:
    found = re.search(r"```\n(authsvc demo: .*?It stays up[^\n]*)", README, re.DOTALL)
    assert found
    with demo(tmp_path) as terminal:
        assert general(found[1]) in general(text(terminal))


def test_what_the_demo_tells_to_paste_works(tmp_path: Path, kubectl: Path) -> None:
    def paste(start: str) -> str:
        line = next(line for line in lines if line.startswith(start))
        done = subprocess.run(
            ["sh", "-c", f"{export}\n{line}"],
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert kubectl.is_file()
    with demo(tmp_path) as terminal:
        lines = [line.strip() for line in text(terminal).splitlines()]
        export = next(line for line in lines if line.startswith("export "))
        review, health = (line for line in lines if line.startswith("curl "))
        password = re.search(r"the password is (\S+)", text(terminal))
        assert password

        assert json.loads(paste(review))["status"]["denied"]
        assert json.loads(paste("kubectl --kubeconfig"))["status"]["user"]["username"] == "alice"
        assert paste(health).endswith("readyz check passed\n")
        paste("kubectl authsvc setup")
        login = next(line for line in lines if line.startswith("kubectl authsvc login"))
        with Terminal(["sh", "-c", f"{export}\n{login}"], environment(tmp_path)) as person:
            person.wait_for("Password of alice")
            person.wait_for_echo(shown=False)
            person.press(f"{password[1]}\n")
            assert person.wait() == 0, person.screen


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name
)
def test_the_server_does_not_outlive_the_tour(tmp_path: Path, number: signal.Signals) -> None:
    """A closed terminal is a SIGHUP, which a server alone would take for a reload."""
    with demo(tmp_path) as terminal:
        port = port_of(terminal)
        assert is_served(port)

        if number == signal.SIGINT:
            terminal.press("\x03")
            assert terminal.wait() == 0
        else:
            os.killpg(terminal.process.pid, number)  # to all of its group, as a terminal does
            assert terminal.wait() == 1

    eventually(lambda: not is_served(port), "the server ended")
