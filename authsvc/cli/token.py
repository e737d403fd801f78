"""``authsvc token …``."""

from __future__ import annotations

import secrets

import click

from authsvc.cli import LazyGroup
from authsvc.cli.options import token_on_stdin

COMMANDS = {
    "explain": ("authsvc.cli.token_explain:explain", "Tell why a token is somebody's or nobody's."),
    "hash": ("authsvc.cli.token:hash_", "Make a table's hashed form of a token."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def token() -> None:
    """Make tokens for a table of static tokens; explain what is made of a token."""


@click.command("hash", epilog="Example: authsvc token hash --generate")
@click.option("--generate", is_flag=True, help="Make a new token, and print it before its hash.")
def hash_(generate: bool) -> None:
    """Print the hashed form of the token on stdin, for the first column of tokens.csv."""
    from authsvc.authn.static import hash_token

    if generate:
        value = secrets.token_urlsafe(32)
        click.echo(value)
    else:
        value = token_on_stdin()
        if not value:
            raise click.UsageError("expected a token on stdin, or --generate")
    click.echo(f"sha256:{hash_token(value).hex()}")
