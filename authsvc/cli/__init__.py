"""``authsvc …``: the commands, found by name and imported only when called.

A command is a module of this package; the table below is all that is imported
for ``authsvc --help``.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

import click

from authsvc import __version__
from authsvc.errors import AuthsvcError

# name: (module:attribute, what it does)
COMMANDS: dict[str, tuple[str, str]] = {
    "config": ("authsvc.cli.config:config", "Check a configuration; print its defaults or schema."),
    "demo": ("authsvc.cli.demo:demo", "A tour: a real server, real reviews, readable answers."),
    "init": ("authsvc.cli.init:init", "Write all that a service and its API server need."),
    "keys": ("authsvc.cli.keys:keys", "Rotate and list the issuer's signing keys."),
    "kubeconfig": ("authsvc.cli.kubeconfig:kubeconfig", "Write one of these kubeconfigs alone."),
    "ldap": ("authsvc.cli.ldap:ldap", "Walk the steps of a login at each LDAP server."),
    "password": ("authsvc.cli.password:password", "Make a hash for a table of passwords."),
    "policy": ("authsvc.cli.policy:policy", "Check, test, explain, compare, convert policies."),
    "serve": ("authsvc.cli.serve:serve", "Run the service."),
    "session": ("authsvc.cli.session:session", "List and end the sessions of people."),
    "token": ("authsvc.cli.token:token", "Make tokens for a table; explain a token."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def __init__(self, commands: dict[str, tuple[str, str]], **attributes: object) -> None:
        super().__init__(**attributes)  # type: ignore[arg-type]  # click's own keywords, passed on
        self._table = commands

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return sorted(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)  # noqa: S101  a fault of the table, not of a user
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._table[name][1]) for name in sorted(self._table)])


@click.group(
    cls=LazyGroup,
    commands=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with: authsvc demo",
)
@click.version_option(__version__, prog_name="authsvc")
def group() -> None:
    """The identity and permission service for Kubernetes."""


def main() -> None:
    """Run the command line; an error of ours, or of the system, is a line or more and exit 1."""
    try:
        group.main(prog_name="authsvc")
    except AuthsvcError as error:
        _end(str(error) or type(error).__name__)
    except OSError as error:
        # Of a file or folder that no part has looked at before, or of the output.
        message = (error.strerror or str(error)).lower()
        _end(f"{error.filename}: {message}" if error.filename else message)


def _end(message: str) -> NoReturn:
    for line in message.splitlines():
        click.echo(f"error: {line}", err=True)
    try:
        sys.stdout.flush()
    except OSError:
        # What it could not write it would try to write once more at the very end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(1) from None


if __name__ == "__main__":
    main()
