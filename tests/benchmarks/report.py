"""Tables of figures: printed as they grow, and written into README.md beside this file.

A table stands there between two markers that name it, with the day and the
load of the machine when its making began and ended.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

Table = Iterator[str]

_README = Path(__file__).with_name("README.md")


def report(name: str, table: Table) -> None:
    """Print a table's lines as they come; then put them into README.md's section of that name."""
    before = os.getloadavg()[0]
    lines = []
    for line in table:
        print(line, flush=True)
        lines.append(line)
    day = datetime.now(UTC).date()
    after = os.getloadavg()[0]
    made = f"{day}, {os.cpu_count()} cores, load {before:.1f} before and {after:.1f} after."
    text = _README.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    section = "\n".join([begin, *lines, "", made, end])
    pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
    if not re.search(pattern, text, re.DOTALL):
        raise SystemExit(f"README.md has no section {name}")
    _README.write_text(re.sub(pattern, lambda _: section, text, flags=re.DOTALL), encoding="utf-8")
