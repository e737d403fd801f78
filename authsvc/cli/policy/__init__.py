"""``authsvc policy …``: the tools of those who edit the files.

All of them work on a folder, without a server. Exit status: 0 well, 1 what was
asked about is not well (errors, a failed test, a difference), 2 wrong usage.
"""

from __future__ import annotations

import sys

import click

from authsvc.cli import LazyGroup

COMMANDS = {
    "check": ("authsvc.cli.policy.check:check", "Report errors, and what is perhaps not meant."),
    "diff": ("authsvc.cli.policy.diff:diff", "Tell who gains and who loses what by a change."),
    "decide": ("authsvc.cli.policy.decide:decide", "Answer many requests at once, as JSON lines."),
    "explain": ("authsvc.cli.policy.explain:explain", "Answer one question, with all its ground."),
    "export-rbac": (
        "authsvc.cli.policy.export_rbac:export_rbac",
        "Write the policy as RBAC objects.",
    ),
    "format": ("authsvc.cli.policy.format:format_", "Put rows in columns."),
    "matrix": (
        "authsvc.cli.policy.matrix:matrix",
        "Show roles and resources as a table or picture.",
    ),
    "replay": ("authsvc.cli.policy.replay:replay", "Decide a decision log again."),
    "test": ("authsvc.cli.policy.test:test", "Ask a policy the questions of test files."),
    "what-can": ("authsvc.cli.policy.what_can:what_can", "List all that somebody may."),
    "who-can": ("authsvc.cli.policy.who_can:who_can", "List all who may do something."),
    "import-rbac": (
        "authsvc.cli.policy.import_rbac:import_rbac",
        "Write what a cluster's RBAC grants as policy rows.",
    ),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def policy() -> None:
    """Check, test, explain, compare and convert policies."""
    if sys.stdout is None:  # it was closed before the start: `>&-`
        click.echo("error: standard output is closed", err=True)
        raise SystemExit(2)
