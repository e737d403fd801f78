"""``authsvc serve``."""

from __future__ import annotations

from pathlib import Path

import click

from authsvc.cli.options import config_argument


@click.command(epilog="Example: authsvc serve --config /etc/authsvc/authsvc.yaml")
@config_argument
def serve(file: Path) -> None:
    """Run the service until SIGTERM; SIGHUP reloads everything, all or nothing."""
    from authsvc.server import shared_metrics

    shared_metrics.share()
    from authsvc.server.run import run

    run(file)
