"""Reviews over TLS, beside a bare "hello" on the same server.

``python -m tests.benchmarks.reviews``

For each number of policy rows: SubjectAccessReviews of many users, and
TokenReviews answered from the cache; requests a second and p99 with 16
connections, p50 with one, the processor time that a request costs the workers
(which a noisy machine changes least), and their memory. The decision log and
metrics are on.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from authsvc.authn.static import hash_token
from authsvc.bootstrap.initialise import initialise
from authsvc.bootstrap.site import Wanted
from tests.benchmarks import load
from tests.benchmarks.load import Load

_USERS = 500
_CONNECTIONS = 16
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one server, endpoint and policy.

    ``cost``: microseconds of processor time a request; ``memory``: MB of a worker.
    """

    many: Load
    cost: float
    one: Load
    memory: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of load for each figure")
    parser.add_argument("--rows", type=int, nargs="*", default=[100, 100_000])
    options = parser.parse_args()
    print(
        "| server | answers | rows | requests/s | of hello | cost | p99 of 16 | p50 of 1 "
        "| over hello | failed | worker |"
    )
    print("| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |")
    with tempfile.TemporaryDirectory(prefix="authsvc-bench-") as name:
        folder = Path(name)
        for rows in options.rows:
            measure(folder / str(rows), rows, options.seconds)


def measure(folder: Path, rows: int, seconds: float) -> None:
    """Measure everything at one number of rows."""
    port = _write(folder, rows)
    for path, bodies in (
        ("/authorize", _access_bodies(folder, rows)),
        ("/authenticate", _token_bodies(folder)),
    ):
        url = f"https://127.0.0.1:{port}{path}"
        figures = {}
        for name in ("hello", "service"):
            with served(folder, port, name) as server:
                load.run(url, bodies, connections=_CONNECTIONS, seconds=1)
                before = _processor_seconds(server)
                many = load.run(url, bodies, connections=_CONNECTIONS, seconds=seconds)
                used = _processor_seconds(server) - before
                figures[name] = Figures(
                    many,
                    used / (many.rate * seconds) * 1e6,
                    load.run(url, bodies, connections=1, seconds=max(2.0, seconds / 2)),
                    _memory(server),
                )
        hello = figures["hello"]
        for name, each in figures.items():
            what = path.removeprefix("/") if name == "service" else f"hello ({path})"
            print(
                f"| gunicorn | {what} | {rows:,} | {each.many.rate:,.0f} "
                f"| {each.many.rate / hello.many.rate:.0%} | {each.cost:.1f} µs "
                f"| {each.many.p99:.2f} ms "
                f"| {each.one.p50:.3f} ms | {each.one.p50 - hello.one.p50:+.3f} ms "
                f"| {each.many.failed + each.one.failed} | {each.memory:.0f} MB |",
                flush=True,
            )


@contextmanager
def served(folder: Path, port: int, factory: str) -> Iterator[int]:
    """Run gunicorn with the settings of the folder's configuration; yields the master's pid."""
    root = Path(__file__).parents[2]
    with (folder / f"{factory}.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "-c", str(root / "config/gunicorn.conf.py")),
                f"tests.benchmarks.uncertified:{factory}()",
            ],
            cwd=root,
            env={**os.environ, "AUTHSVC_CONFIG": str(folder / "authsvc.yaml")},
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
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def _workers(master: int) -> list[str]:
    return Path(f"/proc/{master}/task/{master}/children").read_text().split()


def _processor_seconds(master: int) -> float:
    """Return what the workers have used of the processors, in seconds."""
    ticks = 0
    for worker in _workers(master):
        fields = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _memory(master: int) -> float:
    """Return the resident memory of the largest worker, in MB."""
    return max(
        int(line.split()[1]) / 1024
        for worker in _workers(master)
        for line in Path(f"/proc/{worker}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )


def _write(folder: Path, rows: int) -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder.mkdir()
    initialise(folder, Wanted(hosts=("127.0.0.1",), port=port))
    with (folder / "authsvc.yaml").open("a") as config:
        config.write("\nlogging:\n  level: warning\n  decisions: decisions.log\n")
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


def _access_bodies(folder: Path, rows: int) -> Path:
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


def _token_bodies(folder: Path) -> Path:
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


if __name__ == "__main__":
    main()
