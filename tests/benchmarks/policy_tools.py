"""How long ``authsvc policy …`` takes for 10,000 rows: each command once, as people call it.

``python -m tests.benchmarks.policy_tools``

The rows are those of ``policy_index``: roles with rules of all shapes, users and
groups that hold them. Beside them stands what is hard on purpose for ``check``:
10,000 rules of one role that differ in globs alone.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from authsvc.interfaces import Attributes
from tests.benchmarks.policy_index import ask, generate
from tests.benchmarks.report import Table, report

_ROWS: Final = 10_000
_REVIEWS: Final = 10_000


def main() -> None:
    """Measure, print, and write."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    report("policy-tools", _table())


def _table() -> Table:
    yield "| `authsvc policy …` | of | seconds | processor |"
    yield "| --- | --- | --: | --: |"
    with tempfile.TemporaryDirectory(prefix="authsvc-bench-") as name:
        folder = Path(name)
        _write(folder)
        for words, about in _COMMANDS:
            wall, processor = _run(words, folder)
            yield f"| `{words}` | {about} | {wall:.2f} | {processor:.2f} |"


_COMMANDS: Final = (
    ("check policy", "10,000 rows"),
    ("check globs", "10,000 rules of one role, globs `*-N` and `x-N-*`"),
    ("check two-globs", "10,000 rules of one role, globs `app-*-N-*`"),
    ("format --check policy", "10,000 rows"),
    ("decide --requests reviews.jsonl", "10,000 reviews"),
    ("diff policy changed", "10,000 rows, ten of them with another verb"),
    ("what-can user:u7", "one user"),
    ("who-can get pods -n ns-7", "7,638 subjects"),
    ("explain --as u7 get pods -n ns-7", "one question"),
)


def _write(folder: Path) -> None:
    """Write the policies and the reviews that the commands are about."""
    rows = list(generate(_ROWS))
    allows = [number for number, row in enumerate(rows) if re.match(r"p, role:.* allow$", row)]
    changed = rows.copy()
    for number in allows[:: len(allows) // 10][:10]:
        changed[number] = re.sub(r"[^,]+, allow$", " bind, allow", rows[number])
    numbers = range(_ROWS)
    grant = "g, group:g, role:r, *\n"
    _policy(folder / "policy", rows)
    _policy(folder / "changed", changed)
    globs = (f"p, role:r, *-{n}, pods, x-{n}-*, get, allow\n" for n in numbers)
    _policy(folder / "globs", (*globs, grant))
    two = (f"p, role:r, *, pods, app-*-{n}-*, get, allow\n" for n in numbers)
    _policy(folder / "two-globs", (*two, grant))
    rng = random.Random(0)  # noqa: S311  a seed makes it the same each time
    reviews = (json.dumps(_review(ask(_ROWS, rng))) + "\n" for _ in range(_REVIEWS))
    (folder / "reviews.jsonl").write_text("".join(reviews), encoding="utf-8")


def _policy(folder: Path, rows: Iterable[str]) -> None:
    folder.mkdir()
    (folder / "policy.csv").write_text("".join(rows), encoding="utf-8")


def _review(asked: Attributes) -> dict[str, Any]:
    return {
        "user": asked.user.username,
        "groups": asked.user.groups,
        "resourceAttributes": {
            "verb": asked.verb,
            "namespace": asked.namespace,
            "group": asked.api_group,
            "resource": asked.resource,
            "subresource": asked.subresource,
            "name": asked.name,
        },
    }


def _run(words: str, folder: Path) -> tuple[float, float]:
    """Run one command to an answer, be it no; return seconds by the clock and of the processor."""
    command = [sys.executable, "-m", "authsvc", "policy", *words.split()]
    start = time.monotonic()
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.PIPE)
        assert process.stderr is not None
        said = process.stderr.read().decode()
        _, status, used = os.wait4(process.pid, 0)  # with what this one process used
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - start
    if process.returncode not in {0, 1} or said:
        raise SystemExit(f"{words}: exit status {process.returncode}: {said}")
    return wall, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
