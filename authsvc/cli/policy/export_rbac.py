"""``authsvc policy export-rbac``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from authsvc.cli.policy.options import PolicySource, policy_argument, policy_options
from authsvc.cli.policy.output import plural

if TYPE_CHECKING:
    from authsvc.policy.rbac.exporter import Exported, Misfit


@click.command(
    "export-rbac",
    epilog="Example: authsvc policy export-rbac policy | kubectl diff -f -",
)
@policy_options
@policy_argument
@click.option("--force", is_flag=True, help="Leave out what does not fit, with a comment on each.")
def export_rbac(source: PolicySource, *, force: bool) -> None:
    """Write the policy as Roles, ClusterRoles and their bindings, in YAML.

    RBAC has no deny, no times, no conditions, and of globs only *: such rows
    are errors, each with its place, and nothing is written; with --force they
    are left out. A deny that is left out allows more than the policy does.
    RBAC has no inheritance either, so roles are written out in full.

    Exit status: 0 all of the policy, 1 not all of it.
    """
    from authsvc.policy.rbac.exporter import export_rbac as export

    exported = export(source.rows())
    level = "warning" if force else "error"
    for misfit in exported.misfits:
        click.echo(f"{level}: {_message(misfit)}", err=True)
    if force or not exported.misfits:
        for text in _yaml(exported):
            click.echo(text, nl=False)
    raise SystemExit(1 if exported.misfits else 0)


def _message(misfit: Misfit) -> str:
    return f"{misfit}{'; without it more is allowed' if misfit.dangerous else ''}"


def _yaml(exported: Exported) -> Iterator[str]:
    import yaml

    if exported.misfits:
        yield f"# Not all of the policy: {plural(len(exported.misfits), 'row')} left out.\n"
    for misfit in exported.misfits:
        yield f"# {_message(misfit)}\n"
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    for document in exported.objects:
        text: str = yaml.dump(
            document, Dumper=dumper, sort_keys=False, allow_unicode=True, width=100
        )
        yield f"---\n{text}"
