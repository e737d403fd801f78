"""What TOOLS.md shows is what the commands print.

Its ``console`` blocks are played in order, each in a new folder whose ``policy``
is the shipped examples, committed to git. ``$ cat FILE`` makes a file that is
not there yet from what is shown of it; a line ``…`` stands for any lines.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.cli.policy import COMMANDS

FOLDER = Path(__file__).parents[3] / "policy"
MANUAL = (FOLDER / "TOOLS.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STEP = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_COMMIT = "git init -q && git add . && git -c user.name=t -c user.email=t@example.com commit -qm t"


def sections() -> Iterator[tuple[str, str]]:
    """Each heading of the manual with the text below it."""
    for section in MANUAL.split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        yield heading, text


BLOCKS = [
    pytest.param(block, id=heading)
    for heading, text in sections()
    for block in _BLOCK.findall(text)
]


@pytest.fixture
def shell(tmp_path: Path) -> Path:
    """A folder as the manual's reader has it."""
    shutil.copytree(FOLDER / "examples", tmp_path / "policy")
    run(_COMMIT, tmp_path)
    return tmp_path


def run(command: str, folder: Path) -> str:
    """What a command prints; its exit status may be any."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=60,
    )
    return done.stdout.decode()


def as_shown(shown: str) -> str:
    """The regular expression of an output that may leave out lines."""
    lines = shown.splitlines(keepends=True)
    return "".join("(?:.*\n)+?" if line == "…\n" else re.escape(line) for line in lines)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_manual_shows_what_the_commands_print(block: str, shell: Path) -> None:
    steps = _STEP.findall(block)

    assert "".join(f"$ {command}\n{shown}" for command, shown in steps) == block
    for command, shown in steps:
        name = command.removeprefix("cat ")
        if name != command and not (shell / name).exists():
            (shell / name).write_text(shown, encoding="utf-8")
            continue
        printed = run(command, shell)
        if not re.fullmatch(as_shown(shown), printed):
            pytest.fail(f"this is printed, and something else is shown:\n$ {command}\n{printed}")


def test_every_command_has_a_section() -> None:
    told = {name for heading, _ in sections() for name in heading.split(", ")}

    assert set(COMMANDS) <= told
