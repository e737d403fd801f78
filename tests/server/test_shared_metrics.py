"""The folder of the workers' metrics: one for a run, and gone with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SHARE = "import os; from authsvc.server import shared_metrics; shared_metrics.share(); "
FOLDER, OWNER = "PROMETHEUS_MULTIPROC_DIR", "AUTHSVC_METRICS_OWNER"


def run(code: str, **environment: str) -> str:
    """Run a line of Python after having shared; return what it printed."""
    clean = {name: value for name, value in os.environ.items() if name not in {FOLDER, OWNER}}
    done = subprocess.run(
        [sys.executable, "-c", SHARE + code],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def test_a_run_has_a_folder_and_leaves_none() -> None:
    folder, there = run(
        f"print(os.environ['{FOLDER}'], os.path.isdir(os.environ['{FOLDER}']))"
    ).split()
    assert there == "True"
    assert not Path(folder).exists()


def test_a_folder_of_somebodys_own_is_used_and_left(tmp_path: Path) -> None:
    assert run(f"print(os.environ['{FOLDER}'])", **{FOLDER: str(tmp_path)}) == str(tmp_path)
    assert tmp_path.is_dir()


def test_a_worker_that_ends_leaves_the_folder_to_the_others() -> None:
    code = (
        "import sys; child = os.fork() or sys.exit(0); os.waitpid(child, 0); "
        f"print(os.path.isdir(os.environ['{FOLDER}']))"
    )
    assert run(code) == "True"


def test_asked_twice_it_is_one_folder() -> None:
    code = (
        f"before = os.environ['{FOLDER}']; shared_metrics.share(); "
        f"print(before == os.environ['{FOLDER}'])"
    )
    assert run(code) == "True"


def test_who_took_over_from_another_process_does_not_share_what_goes_with_that(
    tmp_path: Path,
) -> None:
    inherited = {FOLDER: str(tmp_path), OWNER: "1"}
    assert run(f"print(os.environ['{FOLDER}'])", **inherited) != str(tmp_path)
    assert tmp_path.is_dir()
