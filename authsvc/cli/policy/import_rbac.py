"""``authsvc policy import-rbac``."""

from __future__ import annotations

from typing import TextIO

import click

from authsvc.cli.policy.output import Progress

_EXAMPLE = (
    "Example: kubectl get clusterroles,clusterrolebindings,roles,rolebindings -A -o json"
    " | authsvc policy import-rbac - > policy/rbac.csv"
)


@click.command("import-rbac", epilog=_EXAMPLE)
@click.argument("files", type=click.File("r", encoding="utf-8"), nargs=-1, required=True)
def import_rbac(files: tuple[TextIO, ...]) -> None:
    """Write the policy rows that grant what the RBAC objects in FILES grant.

    FILES are JSON or YAML as kubectl prints them; - is stdin. What grants
    nothing is a comment and a warning on stderr. What cannot be said is an
    error: then nothing is printed, and the exit status is 1.
    """
    from authsvc.policy.rbac import importer, objects

    with Progress("importing"):
        found = [item for file in files for item in objects.read(file.read(), file.name)]
        imported = importer.import_rbac(found)
    for warning in imported.warnings:
        click.echo(f"warning: {warning}", err=True)
    for error in imported.errors:
        click.echo(f"error: {error}", err=True)
    if imported.errors:
        raise SystemExit(1)
    click.echo(imported.text, nl=False)
