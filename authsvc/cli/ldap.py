"""``authsvc ldap …``: finding out why a directory does not let people in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authsvc.cli.options import config_option

if TYPE_CHECKING:
    from authsvc.authn.ldap.check import Step
    from authsvc.authn.ldap.settings import LDAPSettings


@click.group()
def ldap() -> None:
    """Look at the directories of a configuration."""


@ldap.command(
    short_help="Walk the steps of a login at each server.",
    epilog="Example: authsvc ldap check --config authsvc.yaml --user alice",
)
@config_option
@click.option("--name", "only", default="", help="The authenticator, where there are several.")
@click.option("--user", "username", default="", help="A user to find, with status and groups.")
@click.option("--password", "ask", is_flag=True, help="Ask for the user's password and try it.")
def check(file: Path, only: str, username: str, ask: bool) -> None:
    """Walk each step at each server: resolve, connect, TLS, bind, search, groups, user, status."""
    from authsvc import log
    from authsvc.authn.ldap.check import Walk
    from authsvc.errors import BackendError

    log.configure("error", "console")  # what goes wrong is told by the steps
    directories = _directories(file, only)
    if ask and not username:
        raise click.UsageError("--password needs --user")
    password = click.prompt("Password", hide_input=True, err=True) if ask else ""
    failed = False
    for name, settings in directories:
        walk = Walk(settings, username, password)
        try:
            servers = walk.servers()
        except BackendError as error:
            click.echo(f"{name}\n  FAIL  DNS        {error}")
            failed = True
            continue
        for server in servers:
            click.echo(f"{name}  {server}")
            failed = _show(walk.steps(server)) or failed
    if failed:
        raise SystemExit(1)


def _directories(file: Path, only: str) -> list[tuple[str, LDAPSettings]]:
    from authsvc.authn.ldap.settings import LDAPSettings
    from authsvc.config import load

    found = [
        (named.name, named.settings)
        for named in load(file).authentication.authenticators
        if isinstance(named.settings, LDAPSettings) and only in {"", named.name}
    ]
    if not found:
        raise click.ClickException(f"{file}: no authenticator of type LDAP {only}".rstrip())
    return found


def _show(steps: Iterator[Step]) -> bool:
    """Print the steps as they are walked; return whether one failed."""
    failed = False
    for step in steps:
        failed = failed or not step.worked
        click.echo(f"  {'ok  ' if step.worked else 'FAIL'}  {step.name:<10} {step.said}")
        if step.advice:
            click.echo(f"                   → {step.advice}")
    return failed
