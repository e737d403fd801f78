"""``authsvc policy import-rbac``."""

from __future__ import annotations

from typing import TextIO

import click

from authsvc.cli.policy.files import text_of
from authsvc.cli.policy.output import Progress

_EXAMPLE = (
    "Example: kubectl get clusterroles,clusterrolebindings,roles,rolebindings -A -o json"
    " | authsvc policy import-rbac - > policy/rbac.csv"
)


@click.command("import-rbac", epilog=_EXAMPLE)
@click.argument("files", type=click.File("r", encoding="utf-8"), nargs=-1, required=True)
@click.option(
    "--allow-empty",
    is_flag=True,
    help="Accept files without RBAC objects; mark a result without rows as meant.",
)
def import_rbac(files: tuple[TextIO, ...], *, allow_empty: bool) -> None:
    """Write the policy rows that grant what the RBAC objects in FILES grant.

    FILES are JSON or YAML as kubectl prints them; - is stdin. What grants
    nothing is a comment and a warning on stderr. What cannot be said is an
    error, and so is a file without any RBAC object: then nothing is printed,
    and the exit status is 1.
    """
    from authsvc.errors import ConfigError
    from authsvc.policy.rbac import importer, objects
    from authsvc.policy.reader import EMPTY

    with Progress("importing"):
        found = []
        for file in files:
            of_file = list(objects.read(text_of(file), file.name))
            if not of_file and not allow_empty:
                raise ConfigError(file.name, "no RBAC object in it (did kubectl fail?)")
            found += of_file
        imported = importer.import_rbac(found)
    for warning in imported.warnings:
        click.echo(f"warning: {warning}", err=True)
    for error in imported.errors:
        click.echo(f"error: {error}", err=True)
    if imported.errors:
        raise SystemExit(1)
    text = imported.text
    if allow_empty and not imported.has_rows:
        text += f"{EMPTY}\n"
    click.echo(text, nl=False)
