"""wrk, and what it measured."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}

CONNECTED_SECONDS = 0.3
_TRIES = 100

_SCRIPT = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local bodies = {{}}
for line in io.lines("{bodies}") do bodies[#bodies + 1] = line end
local requests = {{}}
function init()
  for i, body in ipairs(bodies) do requests[i] = wrk.format(nil, nil, nil, body) end
end
local at = {start}
function request()
  at = at % #requests + 1
  return requests[at]
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """Requests a second, latencies in milliseconds, and requests that did not end with 2xx."""

    rate: float
    p50: float
    p99: float
    failed: int


def run(
    url: str,
    bodies: Path,
    *,
    connections: int,
    seconds: float,
    threads: int = 2,
    counts: Callable[[], bool] = lambda: True,
) -> Load:
    """Put load on a URL: each line of ``bodies`` is a request's body, in turn.

    Each of wrk's threads starts with the first line: with one, no two requests
    that are under way are the same. ``counts`` is asked once the connections are
    there; where it says no they are made anew.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("wrk is missing:  apt-get install wrk")
    script = bodies.with_suffix(".lua")
    script.write_text(_SCRIPT.format(bodies=bodies, start=0))
    command = [
        wrk,
        "-t",
        str(min(threads, connections)),
        "-c",
        str(connections),
        "-d",
        f"{seconds:g}s",
        "--latency",
    ]
    for _ in range(_TRIES):
        with subprocess.Popen(
            [*command, "-s", str(script), url], stdout=subprocess.PIPE, text=True
        ) as process:
            time.sleep(CONNECTED_SECONDS)
            if counts():
                output, _ = process.communicate()
                if process.returncode:
                    raise SystemExit(f"wrk failed: {output}")
                return parse(output)
            process.kill()
    raise SystemExit("the connections never were as they have to be")


def parse(output: str) -> Load:
    """Read wrk's report."""
    failed = sum(int(number) for number in re.findall(r"Non-2xx.*: (\d+)", output))
    for group in re.findall(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output
    ):
        failed += sum(int(number) for number in group)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    return Load(
        rate=float(rate[1]) if rate else 0.0,
        p50=_latency(output, "50%"),
        p99=_latency(output, "99%"),
        failed=failed,
    )


def _latency(output: str, percentile: str) -> float:
    match = re.search(rf"{percentile}\s+([\d.]+)(us|ms|s)\b", output)
    return float(match[1]) * _UNITS[match[2]] if match else float("nan")
