"""The policy commands as their users call them, in this process, and a policy to try them on."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import structlog

from authsvc.cli import main

ROLES = """\
# what roles may do
p, role:view, *, pods|pods/log|services|deployments.apps, *, get|list|watch, allow
p, role:edit, *, deployments.apps, *, create|update|patch|delete, allow
g, role:edit, role:view, *
"""

TEAMS = """\
g, group:team-a, role:edit, team-a
g, group:on-call, role:view, *
g, user:bob, role:edit, prod, 2026-11-23T20:00:00Z, 2026-11-24T02:00:00Z
p, group:interns, prod*, secrets, *, *, deny
p, user:*, *, /healthz|/version, *, get, allow
"""


class Answer(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Authsvc = Callable[..., Answer]


class _Stdin(io.BytesIO):
    name = "<stdin>"


@pytest.fixture
def authsvc(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Authsvc]:
    """Give what runs ``authsvc policy …``."""
    configured, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def run(*arguments: object, stdin: str = "") -> Answer:
        monkeypatch.setattr(sys, "argv", ["authsvc", "policy", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(_Stdin(stdin.encode())))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Answer(code or 0, printed.out, printed.err)

    yield run
    structlog.configure(**configured)  # a command sends its log to stderr
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Return a folder with roles and who has them."""
    folder = tmp_path / "policy"
    folder.mkdir()
    (folder / "roles.csv").write_text(ROLES)
    (folder / "teams.csv").write_text(TEAMS)
    return folder
