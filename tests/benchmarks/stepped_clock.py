"""`authsvc serve` by a clock that is wrong by as many seconds as a file says.

``python -m tests.benchmarks.stepped_clock authsvc.yaml``

The file lies beside the configuration. `time.time` is stepped, which is what
the service tells the time by; the clocks that only go forward stay, as they do
when an administrator sets a machine's time.
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

FILE = "clock"


def main(config: str) -> None:
    """Serve by that clock."""
    real, file = time.time, Path(config).with_name(FILE)

    def stepped() -> float:
        with contextlib.suppress(OSError, ValueError):  # not written yet, or not whole
            return real() + float(file.read_text())
        return real()

    time.time = stepped
    from authsvc.cli import main as authsvc

    sys.argv = ["authsvc", "serve", "--config", config]
    authsvc()


if __name__ == "__main__":
    main(sys.argv[1])
