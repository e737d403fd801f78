"""``authsvc config …``: what a configuration file may say, and whether one is good."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authsvc.cli.authentication_configuration import authentication_configuration
from authsvc.cli.options import config_argument
from authsvc.cli.policy.check import warnings_of
from authsvc.cli.policy.output import plural

if TYPE_CHECKING:
    from authsvc.config.model import AuthorizationSettings


@click.group()
def config() -> None:
    """Check a configuration file; print the defaults or the schema."""


@config.command(
    short_help="Check a file, and all that it names.",
    epilog="Example: authsvc config check /etc/authsvc/authsvc.yaml",
)
@config_argument
def check(file: Path) -> None:
    """Check FILE and every file it names; print all errors with their places, exit 1 if any."""
    from authsvc.runtime import Runtime

    # What a start does, up to starting: nothing can be good here and not there.
    runtime = Runtime(file.absolute())
    settings = runtime.configuration
    names = ", ".join(each.name for each in settings.authentication.authenticators) or "none"
    click.echo(f"{file}: ok")
    click.echo(f"  authenticators: {names}")
    click.echo(f"  authorization:  {settings.authorization.mode.value}")
    for part in runtime.checks():
        click.echo(f"  loaded:         {part.name}")
    for warning in (*runtime.warnings(), *_of_policy(settings.authorization)):
        click.echo(f"  warning:        {warning}")


def _of_policy(settings: AuthorizationSettings) -> Sequence[str]:
    """Return how many rows `authsvc policy check` would warn of; which, it says itself."""
    if settings.policy_folder is None:
        return ()
    count = warnings_of(settings.policy_folder)
    what = (
        f"policy: {plural(count, 'warning')}, see `authsvc policy check {settings.policy_folder}`"
    )
    return (what,) if count else ()


@config.command(
    "print-defaults",
    short_help="Print every setting with its default.",
    epilog="Example: authsvc config print-defaults | less",
)
def print_defaults() -> None:
    """Print a configuration file in which every default is spelled out."""
    import msgspec
    import yaml

    from authsvc.config.v1alpha1 import AuthsvcConfiguration

    document = msgspec.to_builtins(AuthsvcConfiguration())
    click.echo(yaml.safe_dump(document, sort_keys=False), nl=False)


@config.command(
    short_help="Print the JSON Schema, for editors.",
    epilog="Example: authsvc config schema > authsvc.schema.json",
)
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    import msgspec

    from authsvc.config.v1alpha1 import AuthsvcConfiguration

    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **msgspec.json.schema(AuthsvcConfiguration),
    }
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


config.add_command(authentication_configuration)
