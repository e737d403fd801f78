"""``authsvc serve``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: authsvc serve --config /etc/authsvc/authsvc.yaml")
@click.option(
    "--config",
    "file",
    required=True,
    envvar="AUTHSVC_CONFIG",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration file.",
)
def serve(file: Path) -> None:
    """Run the service until SIGTERM; SIGHUP reloads everything, all or nothing."""
    from authsvc.server import shared_metrics

    shared_metrics.share()
    from authsvc.server.run import run

    run(file)
