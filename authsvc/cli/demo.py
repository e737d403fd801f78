"""``authsvc demo``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click


@click.command(epilog="Example: authsvc demo --once")
@click.option("--once", is_flag=True, help="End after the tour; exit 0 if each answer was right.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="A fresh folder for what is written; a temporary one by default.",
)
def demo(once: bool, folder: Path | None) -> None:
    """Serve an example company on loopback, ask real reviews and show the answers."""
    from authsvc.demo.tour import run

    if folder is not None:
        right = run(folder.absolute(), once=once)
    else:
        with tempfile.TemporaryDirectory(prefix="authsvc-demo-") as fresh:
            right = run(Path(fresh), once=once)
    raise SystemExit(0 if right else 1)
