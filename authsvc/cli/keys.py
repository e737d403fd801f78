"""``authsvc keys …``: the issuer's signing keys."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authsvc.cli.options import config_option, duration, issuing_of, table, utc

if TYPE_CHECKING:
    from authsvc.issuer.rotation import Algorithm


@click.group()
def keys() -> None:
    """Make the issuer's next signing key; list those there are."""


@keys.command(
    short_help="Make the next key.",
    epilog="Example: authsvc keys rotate --config /etc/authsvc/authsvc.yaml",
)
@config_option
@click.option(
    "--algorithm",
    type=click.Choice(["ES256", "EdDSA"]),
    default="ES256",
    show_default=True,
    help="EdDSA where no API server verifies these tokens by itself: they do not know it.",
)
@click.option(
    "--activate-in",
    type=duration,
    default="15m",
    show_default=True,
    help="When the new key begins to sign; until then it is only published.",
)
def rotate(file: Path, algorithm: Algorithm, activate_in: float) -> None:
    """Make a key that signs soon; the present one verifies until its last token has expired.

    Run it at regular times (monthly, by cron or a systemd timer). A running
    service takes the new key up by itself. Keys that verify nothing any more
    are removed. Several machines need the folder to be the same on each.
    """
    from authsvc.config import load
    from authsvc.issuer import rotation

    settings = issuing_of(load(file, unneeded="issuer.keys")).issuer
    made = rotation.rotate(
        settings.keys,
        algorithm=algorithm,
        activate_in=activate_in,
        overlap=settings.key_overlap,
        now=time.time(),
    )
    click.echo(f"{made.file}: signs from {utc(made.active_from)} on")
    for removed in made.removed:
        click.echo(f"{removed}: removed, it verified nothing any more")


@keys.command(
    "list",
    short_help="List the keys, and what each does.",
    epilog="Example: authsvc keys list --config /etc/authsvc/authsvc.yaml",
)
@config_option
def list_(file: Path) -> None:
    """List the keys: the next one, the one that signs, those that still verify."""
    from authsvc.config import load
    from authsvc.issuer.keys import load as load_keys

    settings = issuing_of(load(file)).issuer
    states = load_keys(settings.keys, settings.key_overlap).states(time.time())
    rows = [
        [key.kid, key.algorithm, state.value, utc(key.active_from), key.file.name]
        for key, state in states
    ]
    click.echo(table(["KEY", "ALGORITHM", "STATE", "SIGNS FROM", "FILE"], rows))
