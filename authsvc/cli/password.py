"""``authsvc password …``."""

from __future__ import annotations

import sys

import click


@click.group()
def password() -> None:
    """Make hashes for a table of passwords."""


@password.command(
    "hash",
    short_help="Print the hash of a password.",
    epilog='Example: echo "alice:$(authsvc password hash):1001:ops"',
)
def hash_() -> None:
    """Print the hash of a password: of the one typed twice, or of the line on stdin."""
    from authsvc.authn.passwords import hash_password

    if sys.stdin.isatty():
        value = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        # Never as an argument, which everybody who can list processes would see.
        value = sys.stdin.readline().rstrip("\r\n")
    if not value:
        raise click.UsageError("expected a password, typed or on stdin")
    click.echo(str(hash_password(value)))
