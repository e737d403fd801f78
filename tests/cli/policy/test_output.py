"""What the commands print with: it fits, and what is for terminals stays on them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.cli.policy.output import table, wrap
from tests.parts.terminal import Terminal

SLOW = """
import sys, time
from authsvc.cli.policy.output import Progress
with Progress("counting") as progress:
    progress.step(1234)
    time.sleep(float(sys.argv[1]))
print("done")
"""


@given(st.text("ab|  ", max_size=200), st.integers(20, 60))
def test_wrapped_text_fits_and_loses_nothing_but_spaces(text: str, columns: int) -> None:
    lines = wrap(text, columns)

    assert max(map(len, lines)) <= columns
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_table_gives_way_in_its_elastic_column() -> None:
    rows = [("a", "pods|" * 30 + "secrets", "policy/roles.csv:1")]

    lines = list(table(("WHO", "WHAT", "ROW"), rows, elastic=1))

    assert max(map(len, lines)) <= 80
    assert lines[1].endswith("policy/roles.csv:1")


@pytest.mark.parametrize(("seconds", "told"), [("1.3", True), ("0.2", False)])
def test_progress_is_told_on_a_terminal_after_a_second(
    tmp_path: Path, seconds: str, told: bool
) -> None:
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}

    with Terminal([sys.executable, script, seconds], environment) as terminal:
        terminal.wait_for("done")

    assert ("counting 1,234 …" in terminal.screen) is told


def test_a_closed_stdout_is_an_error_of_a_line_and_never_an_answer(policy: Path) -> None:
    command = f"{sys.executable} -m authsvc policy diff {policy} {policy} >&-"

    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (2, "error: standard output is closed\n")
