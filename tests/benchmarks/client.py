"""What `kubectl-authsvc get-token` adds to a kubectl call when the token is cached.

Run ``python -m tests.benchmarks.client``. The programs take turns, so that
what else the machine does meets them alike; beside each stands its share of
``python3 -c 'import json'``, the least that a plugin in Python could take.
Ends with status 1 where a share is above the bound of 1.5.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from authsvc.client import sessions
from authsvc.client.request import VERSIONS, read

ROUNDS = 100
BOUND = 1.5
BUILD = Path(__file__).parents[2] / "deploy" / "krew" / "build.py"


def main() -> int:
    """Print the table; return the exit status."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = _environment(folder)
        programs = _programs(folder, environment)
        times: dict[str, list[float]] = {program: [] for program in programs}
        for _ in range(ROUNDS):
            for program, command in programs.items():
                times[program].append(_milliseconds(command, environment))
    baseline = statistics.median(next(iter(times.values())))
    print(f"| {ROUNDS} starts each, in turns | median | of the first |\n| --- | ---: | ---: |")
    for program, taken in times.items():
        median = statistics.median(taken)
        print(f"| {program} | {median:.1f} ms | {median / baseline:.2f} |")
    return int(any(statistics.median(taken) > BOUND * baseline for taken in times.values()))


def _programs(folder: Path, environment: dict[str, str]) -> dict[str, list[str]]:
    subprocess.run(
        [sys.executable, str(BUILD), f"--output={folder}"], check=True, capture_output=True
    )
    (folder / "python3").symlink_to(sys.executable)
    environment["PATH"] = f"{folder}{os.pathsep}{environment['PATH']}"
    installed = str(Path(sysconfig.get_path("scripts"), "kubectl-authsvc"))
    arguments = ["get-token", "--issuer=https://issuer.test"]
    return {
        "`python3 -c 'import json'`": [sys.executable, "-c", "import json"],
        "`kubectl-authsvc get-token`, installed by pip": [installed, *arguments],
        "`kubectl-authsvc get-token`, the single file": [
            str(folder / "kubectl-authsvc"),
            *arguments,
        ],
    }


def _environment(folder: Path) -> dict[str, str]:
    """Keep a session, and ask for it as kubectl does, a CA's certificate and all."""
    cluster = {
        "server": "https://cluster.test:6443",
        "certificate-authority-data": "A" * 3000,
        "config": {"clientID": "kubectl"},
    }
    spec = {"interactive": True, "cluster": cluster}
    info = {"apiVersion": VERSIONS[0], "kind": "ExecCredential", "spec": spec}
    environment = {
        "PATH": os.environ["PATH"],
        "XDG_STATE_HOME": str(folder / "state"),
        "KUBERNETES_EXEC_INFO": json.dumps(info),
    }
    key = read(["--issuer=https://issuer.test"], environment).key
    session = {
        "key": key,
        "token": "t" * 1000,
        "kind": "id_token",
        "obtained_at": time.time(),
        "good_until": time.time() + 3600,
        "subject": "alice",
        "username": "alice",
        "token_endpoint": "https://issuer.test/token",
    }
    file = Path(sessions.path(key, environment))
    file.parent.mkdir(mode=0o700, parents=True)
    file.write_text(json.dumps(session))
    file.chmod(0o600)
    return environment


def _milliseconds(command: list[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    sys.exit(main())
