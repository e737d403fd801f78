"""The service at its full rate for minutes, with everything changing: does it grow?

``python -m tests.benchmarks.soak [--minutes 10]``

Each round other users ask and other tokens come, known ones and unknown, and
the policy and the table of tokens are replaced. A worker's memory is looked at
after each round. It goes up and down with what a reload and the buffers of the
moment take, so the median of the second quarter of the time, when all that is
bounded is full, is compared with that of the last. The engines run side by side.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from tests.benchmarks import load, serving
from tests.benchmarks.load import Load
from tests.benchmarks.report import Table, report

_ROWS = 1_000
_USERS = 2_000
_ROUND_SECONDS = 5.0
_CONNECTIONS = 8


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of load for each engine")
    parser.add_argument("--engines", nargs="*", default=["Gunicorn", "Granian"])
    options = parser.parse_args()
    report("soak", _table(options.engines, options.minutes))


def _table(engines: list[str], minutes: float) -> Table:
    yield "| server | minutes | reviews | failed | worker, second quarter | last quarter | growth |"
    yield "| --- | --: | --: | --: | --: | --: | --: |"
    with (
        tempfile.TemporaryDirectory(prefix="authsvc-soak-") as name,
        ThreadPoolExecutor(len(engines)) as pool,
    ):
        yield from pool.map(lambda engine: _soaked(Path(name) / engine, engine, minutes), engines)


def _soaked(folder: Path, engine: str, minutes: float) -> str:
    port = serving.write(folder, _ROWS, engine)
    config = folder / "authsvc.yaml"
    # Small enough to be full by the time that the first look is taken.
    text = config.read_text().replace(
        "authentication:\n", "authentication:\n  cache: {size: 2000}\n"
    )
    config.write_text(text)
    policy, tokens = folder / "policy" / "rows.csv", folder / "tokens.csv"
    rows, table = policy.read_text(), tokens.read_text()
    reviews = failed = 0
    memory: list[float] = []
    with serving.served(folder, port, "service") as server:
        begun = time.monotonic()
        number = 0
        while time.monotonic() - begun < minutes * 60:
            number += 1
            policy.write_text(f"{rows}p, role:r0, *, changed{number}, *, get, allow\n")
            tokens.write_text(f"{table}token-of-round-{number},user-{number},{number}\n")
            (folder / "decisions.log").unlink(missing_ok=True)  # as a rotation does
            for seen in _round(folder, port, number):
                reviews += int(seen.rate * _ROUND_SECONDS)
                failed += seen.failed
            memory.append(serving.memory(server))
            print(engine, f"{memory[-1]:.1f}", file=sys.stderr, flush=True)
    quarter = len(memory) // 4
    early, late = median(memory[quarter : 2 * quarter]), median(memory[3 * quarter :])
    return (
        f"| {engine} | {minutes:g} | {reviews:,} | {failed} | {early:.1f} MB | {late:.1f} MB "
        f"| {late - early:+.1f} MB |"
    )


def _round(folder: Path, port: int, number: int) -> list[Load]:
    """Put load on both endpoints at the same time."""
    seen: list[Load] = []

    def ask(path: str, bodies: Path) -> None:
        url = f"https://127.0.0.1:{port}{path}"
        seen.append(
            load.run(url, bodies, connections=_CONNECTIONS, seconds=_ROUND_SECONDS, threads=1)
        )

    threads = [
        threading.Thread(target=ask, args=("/authorize", _access(folder, number))),
        threading.Thread(target=ask, args=("/authenticate", _tokens(folder, number))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def _access(folder: Path, number: int) -> Path:
    return _write(
        folder / "soak-authorize.jsonl",
        [
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": {
                    "user": f"user-{number}-{user}",
                    "groups": [f"team-{user % 50}", f"of-{number}"],
                    "resourceAttributes": {
                        "namespace": f"ns-{user % 50}",
                        "verb": "list",
                        "resource": ("pods", f"changed{number}")[user % 2],
                    },
                },
            }
            for user in range(_USERS)
        ],
    )


def _tokens(folder: Path, number: int) -> Path:
    tokens = [
        f"token-{user % 500}" if user % 2 else f"stray-{number}-{user}" for user in range(_USERS)
    ]
    return _write(
        folder / "soak-authenticate.jsonl",
        [
            {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenReview",
                "spec": {"token": token},
            }
            for token in tokens
        ],
    )


def _write(file: Path, reviews: list[dict[str, object]]) -> Path:
    file.write_text("".join(json.dumps(review) + "\n" for review in reviews))
    return file


if __name__ == "__main__":
    main()
