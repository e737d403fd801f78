"""What a login costs: signing, verifying, rotating, on SQLite and, where it runs, on Redis.

    python -m tests.benchmarks.issued_tokens [--redis redis://127.0.0.1:6379/0]

Prints microseconds a call (median of 5 runs). No network but the store's, no
directory: those are what they are.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from authsvc.store.protocol import Store
from authsvc.store.redis import RedisSettings, RedisStore
from tests.parts.issuer import PASSWORD, Clock, House


def measure(call: Callable[[], object], times: int = 200) -> float:
    """Return microseconds a call."""
    runs = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(times):
            call()
        runs.append((time.perf_counter() - start) / times * 1e6)
    return statistics.median(runs)


def report(folder: Path, name: str, store: Store | None) -> None:
    """Print the figures of one store."""
    house = House(folder, clock=Clock(time.time()), store=store)
    issued = house.issuer.log_in(house.caller(), "alice", PASSWORD, "kubernetes")
    assert issued is not None
    token, refresh = issued.access_token, [str(issued.refresh_token)]
    session = house.issuer.session_of(token)
    access = house.issuer.tokens.verify(token)
    assert session is not None
    assert access is not None

    def rotate() -> None:
        again = house.issuer.refresh(house.caller(), refresh[0])
        assert again is not None
        refresh[0] = str(again.refresh_token)

    figures = {
        "sign (ES256)": measure(lambda: house.issuer.tokens.sign(access)),
        "verify (ES256)": measure(lambda: house.issuer.tokens.verify(token)),
        "review, facts fresh": measure(lambda: house.authenticator.authenticate_token(token, ())),
        "refresh": measure(rotate),
        "read revocations": measure(house.issuer.revocations.refresh),
    }
    for what, microseconds in figures.items():
        print(f"{name:8} {what:22} {microseconds:8.0f} µs")
    house.close()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder), "SQLite", None)
    if arguments.redis:
        with tempfile.TemporaryDirectory() as folder:
            report(Path(folder), "Redis", RedisStore(RedisSettings(arguments.redis)))


if __name__ == "__main__":
    main()
