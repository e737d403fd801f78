"""Reviews over TLS, beside a bare "hello" on the same server.

``python -m tests.benchmarks.reviews``

For each engine and number of policy rows: SubjectAccessReviews of many users,
and TokenReviews answered from the cache; requests a second and p99 with 16
connections, p50 with one, the processor time that a request costs the workers
(which a noisy machine changes least), and their memory, idle and afterwards.
The decision log and metrics are on.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import load, serving
from tests.benchmarks.load import Load
from tests.benchmarks.report import Table, report

_CONNECTIONS = 16

_HEAD = (
    "| server | answers | rows | requests/s | of hello | cost | p99 of 16 | p50 of 1 "
    "| over hello | failed | worker, idle | after |"
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one server, endpoint and policy.

    ``cost``: microseconds of processor time a request; ``idle`` and ``after``:
    MB of a worker before any load and after it.
    """

    many: Load
    cost: float
    one: Load
    idle: float
    after: float


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of load for each figure")
    parser.add_argument("--rows", type=int, nargs="*", default=[100, 10_000, 100_000])
    parser.add_argument("--engines", nargs="*", default=["Gunicorn", "Granian"])
    options = parser.parse_args()
    report("reviews", table(options.engines, options.rows, options.seconds))


def table(engines: Sequence[str], rows: Sequence[int], seconds: float) -> Table:
    """Measure everything; yields the table's lines."""
    yield _HEAD
    yield "| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |"
    with tempfile.TemporaryDirectory(prefix="authsvc-bench-") as name:
        for engine in engines:
            for number in rows:
                yield from _measured(Path(name) / f"{engine}-{number}", engine, number, seconds)


def _measured(folder: Path, engine: str, rows: int, seconds: float) -> Iterator[str]:
    port = serving.write(folder, rows, engine)
    for path, bodies in (
        ("/authorize", serving.access_bodies(folder, rows)),
        ("/authenticate", serving.token_bodies(folder)),
    ):
        url = f"https://127.0.0.1:{port}{path}"
        figures = {}
        for name in ("hello", "service"):
            with serving.served(folder, port, name) as server:
                idle = serving.memory(server)
                load.run(url, bodies, connections=_CONNECTIONS, seconds=1)
                before = serving.processor_seconds(server)
                many = load.run(url, bodies, connections=_CONNECTIONS, seconds=seconds)
                used = serving.processor_seconds(server) - before
                figures[name] = Figures(
                    many,
                    used / (many.rate * seconds) * 1e6,
                    load.run(url, bodies, connections=1, seconds=max(2.0, seconds / 2)),
                    idle,
                    serving.memory(server),
                )
        hello = figures["hello"]
        for name, each in figures.items():
            what = path.removeprefix("/") if name == "service" else f"hello ({path})"
            yield (
                f"| {engine} | {what} | {rows:,} | {each.many.rate:,.0f} "
                f"| {each.many.rate / hello.many.rate:.0%} | {each.cost:.1f} µs "
                f"| {each.many.p99:.2f} ms "
                f"| {each.one.p50:.3f} ms | {each.one.p50 - hello.one.p50:+.3f} ms "
                f"| {each.many.failed + each.one.failed} "
                f"| {each.idle:.0f} MB | {each.after:.0f} MB |"
            )


if __name__ == "__main__":
    main()
