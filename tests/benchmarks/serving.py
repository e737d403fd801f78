"""A folder with a service to measure, the service itself, and what it uses."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from authsvc.authn.static import hash_token
from authsvc.bootstrap.initialise import initialise
from authsvc.bootstrap.site import Wanted

_USERS = 500
_START_SECONDS = 60.0
_SETTLE_SECONDS = 1.0
_ESTABLISHED = "01"  # of /proc/net/tcp


@contextmanager
def served(folder: Path, port: int, factory: str) -> Iterator[int]:
    """Run the service of a folder, or hello in its place; yields the main process's id."""
    root = Path(__file__).parents[2]
    with (folder / f"{factory}.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.benchmarks.uncertified"),
                *(str(folder / "authsvc.yaml"), factory),
            ],
            cwd=root,
            stdout=log,
            stderr=log,
        )
    try:
        _wait(server, port)
        yield server.pid
    finally:
        server.terminate()
        server.wait()


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                pass
            if workers(server.pid):
                time.sleep(_SETTLE_SECONDS)  # they have started and are idle by then
                return
            time.sleep(0.1)
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def workers(master: int) -> list[str]:
    """Return the process ids of the workers."""
    return Path(f"/proc/{master}/task/{master}/children").read_text().split()


def all_work(master: int, port: int, connections: int) -> bool:
    """Whether each worker has its part of the connections, or at least two thirds of that.

    The system hands a burst of connections to whoever comes first: at times one
    worker has all of them, and the others look on.
    """
    there = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == _ESTABLISHED
    }
    shares = [len(there & _sockets(worker)) for worker in workers(master)]
    return min(shares) >= 2 / 3 * connections / len(shares)


def _sockets(process: str) -> set[str]:
    """Return the inodes of a process's sockets."""
    names = set()
    for file in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            names.add(str(file.readlink()).removeprefix("socket:[").removesuffix("]"))
    return names


def processor_seconds(master: int) -> float:
    """Return what the workers have used of the processors, in seconds."""
    ticks = 0
    for worker in workers(master):
        fields = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(master: int) -> float:
    """Return the resident memory of the largest worker, in MB."""
    return max(
        int(line.split()[1]) / 1024
        for worker in workers(master)
        for line in Path(f"/proc/{worker}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )


def write(folder: Path, rows: int, engine: str = "Gunicorn", more: str = "") -> int:
    """Fill a folder with what is served; returns the port. ``more``: YAML for its end."""
    if engine == "Gunicorn" and find_spec("gunicorn_h1c") is None:
        raise SystemExit("gunicorn's parser in C is missing:  make .venv/installed-fast")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder.mkdir()
    initialise(folder, Wanted(hosts=("127.0.0.1",), port=port))
    config = folder / "authsvc.yaml"
    text = config.read_text()
    if engine == "Granian":
        text = "".join(
            line for line in text.splitlines(keepends=True) if "allowedClientNames" not in line
        ).replace("server:\n", "server:\n  engine: Granian\n", 1)
    config.write_text(text + "\nlogging:\n  level: warning\n  decisions: decisions.log\n" + more)
    for file in (folder / "policy").glob("*.csv"):
        file.unlink()
    (folder / "policy" / "rows.csv").write_text(policy(rows))
    (folder / "tokens.csv").write_text(
        "".join(
            f'sha256:{hash_token(f"token-{user}").hex()},user-{user},{user},"{",".join(_groups(user))}"\n'
            for user in range(_USERS)
        )
    )
    return port


def policy(rows: int) -> str:
    """Return a policy: a tenth of the rows give roles, a few deny, the rest are of roles."""
    teams = max(1, rows // 20)
    lines = ["p, group:interns, prod*, secrets, *, *, deny"]
    for number in range(rows * 9 // 10 - 1):
        team = number % teams
        resource = ("pods", "pods/log", "services", "deployments.apps", "jobs.batch")[number % 5]
        lines.append(f"p, role:r{team}, *, {resource}, *, get|list|watch, allow")
    lines += [
        f"g, group:team-{number % teams}, role:r{number % teams}, ns-{number % teams}"
        for number in range(rows // 10)
    ]
    return "\n".join(lines) + "\n"


def _groups(user: int) -> Sequence[str]:
    return [f"team-{user}", f"a-{user}", f"b-{user}", f"c-{user}"]


def access_bodies(folder: Path, rows: int) -> Path:
    """Write SubjectAccessReviews of many users, one a line."""
    teams = max(1, rows // 20)
    bodies = [
        {
            "kind": "SubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {},
            "spec": {
                "resourceAttributes": {
                    "namespace": f"ns-{user % teams}",
                    "verb": "list",
                    "version": "v1",
                    "resource": "pods",
                },
                "user": f"user-{user}",
                "groups": [*_groups(user % teams), "system:authenticated"],
                "extra": {"example.com/team": ["blue", "green"]},
                "uid": str(user),
            },
            "status": {"allowed": False},
        }
        for user in range(_USERS)
    ]
    return _lines(folder / "authorize.jsonl", bodies)


def token_bodies(folder: Path) -> Path:
    """Write TokenReviews of all users, one a line."""
    bodies = [
        {
            "kind": "TokenReview",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {},
            "spec": {"token": f"token-{user}"},
            "status": {"user": {}},
        }
        for user in range(_USERS)
    ]
    return _lines(folder / "authenticate.jsonl", bodies)


def _lines(file: Path, bodies: Sequence[object]) -> Path:
    file.write_text("".join(json.dumps(body, separators=(",", ":")) + "\n" for body in bodies))
    return file
