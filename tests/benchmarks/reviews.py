"""Reviews over TLS, beside a bare "hello" on the same server.

``python -m tests.benchmarks.reviews``

For each engine and number of policy rows: SubjectAccessReviews of many users,
and TokenReviews answered from the cache; requests a second and p99 with 16
connections, p50 with one, the processor time that a request costs the workers
(which a noisy machine changes least), and their memory, idle and afterwards.
The decision log and metrics are on.

The service and hello run side by side and are asked in turns, round after
round, so that what else goes on in the machine is the same for both: each figure
is the median of its rounds. They are begun anew every few rounds: which of the
processors a process and its client live on makes a third of a rate, and stays so
for a while. With 16 connections a round counts where both workers have at least
six of them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

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

    rate: float
    cost: float
    p99: float
    p50_of_one: float
    failed: int
    idle: float
    after: float


@dataclass(slots=True)
class _Server:
    """A server, and what its rounds gave."""

    url: str
    port: int
    process: int = 0
    idle: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    many: list[Load] = field(default_factory=list)
    one: list[Load] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def round(self, bodies: Path, seconds: float) -> None:
        """Put load on it, with many connections and with one."""
        before = 0.0

        def counts() -> bool:
            nonlocal before
            before = serving.processor_seconds(self.process)
            return serving.all_work(self.process, self.port, _CONNECTIONS)

        many = load.run(self.url, bodies, connections=_CONNECTIONS, seconds=seconds, counts=counts)
        used = serving.processor_seconds(self.process) - before
        self.many.append(many)
        self.costs.append(used / (many.rate * (seconds - load.CONNECTED_SECONDS)) * 1e6)
        self.one.append(load.run(self.url, bodies, connections=1, seconds=seconds / 2))

    def figures(self) -> Figures:
        """Return the medians."""
        return Figures(
            rate=median(each.rate for each in self.many),
            cost=median(self.costs),
            p99=median(each.p99 for each in self.many),
            p50_of_one=median(each.p50 for each in self.one),
            failed=sum(each.failed for each in (*self.many, *self.one)),
            idle=median(self.idle),
            after=max(self.after),
        )


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3, help="of each start")
    parser.add_argument("--seconds", type=float, default=2.0, help="of load, a round")
    parser.add_argument("--rows", type=int, nargs="*", default=[100, 10_000, 100_000])
    parser.add_argument("--engines", nargs="*", default=["Gunicorn", "Granian"])
    options = parser.parse_args()
    rounds = [options.seconds] * options.rounds
    report("reviews", table(options.engines, options.rows, options.starts, rounds))


def table(
    engines: Sequence[str], rows: Sequence[int], starts: int, rounds: Sequence[float]
) -> Table:
    """Measure everything; yields the table's lines."""
    yield _HEAD
    yield "| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |"
    with tempfile.TemporaryDirectory(prefix="authsvc-bench-") as name:
        for engine in engines:
            for number in rows:
                folder = Path(name) / f"{engine}-{number}"
                yield from _measured(folder, engine, number, starts, rounds)


def _measured(
    folder: Path, engine: str, rows: int, starts: int, rounds: Sequence[float]
) -> Iterator[str]:
    folder.mkdir()
    ports = {name: serving.write(folder / name, rows, engine) for name in ("hello", "service")}
    for path, bodies in (
        ("/authorize", serving.access_bodies(folder, rows)),
        ("/authenticate", serving.token_bodies(folder)),
    ):
        servers = {
            name: _Server(f"https://127.0.0.1:{port}{path}", port) for name, port in ports.items()
        }
        for _ in range(starts):
            with ExitStack() as stack:
                for name, server in servers.items():
                    server.process = stack.enter_context(
                        serving.served(folder / name, server.port, name)
                    )
                    server.idle.append(serving.memory(server.process))
                    load.run(server.url, bodies, connections=_CONNECTIONS, seconds=1)
                for seconds in rounds:
                    for server in servers.values():
                        server.round(bodies, seconds)
                for server in servers.values():
                    server.after.append(serving.memory(server.process))
        figures = {name: server.figures() for name, server in servers.items()}
        hello = figures["hello"]
        for name, each in figures.items():
            what = path.removeprefix("/") if name == "service" else f"hello ({path})"
            yield (
                f"| {engine} | {what} | {rows:,} | {each.rate:,.0f} "
                f"| {each.rate / hello.rate:.0%} | {each.cost:.1f} µs | {each.p99:.2f} ms "
                f"| {each.p50_of_one:.3f} ms | {each.p50_of_one - hello.p50_of_one:+.3f} ms "
                f"| {each.failed} | {each.idle:.0f} MB | {each.after:.0f} MB |"
            )


if __name__ == "__main__":
    main()
