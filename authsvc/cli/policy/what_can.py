"""``authsvc policy what-can``."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from authsvc.cli.policy.options import PolicySource, check_names, policy_options
from authsvc.cli.policy.output import as_json, style, table

if TYPE_CHECKING:
    from authsvc.policy.queries import Ability


@click.command("what-can", epilog="Example: authsvc policy what-can user:alice --as-group team-a")
@policy_options
@click.argument("subject")
@click.option("--as-group", "groups", multiple=True, help="A group that the user is in.")
@click.option("-o", "--output", type=click.Choice(["text", "json", "yaml", "csv"]), default="text")
def what_can(
    source: PolicySource,
    subject: str,
    groups: tuple[str, ...],
    output: str,
) -> None:
    """List all that SUBJECT may and may not, from now on.

    SUBJECT is user:NAME, group:NAME, serviceaccount:NAMESPACE:NAME or
    role:NAME. A user is also what every user is, and in the groups that the
    API server adds (system:authenticated, a service account's own).

    Exit status: 0 they may something, 1 nothing.
    """
    from authsvc.policy import hints, queries
    from authsvc.policy.asking import QuestionError
    from authsvc.policy.holdings import Holdings

    rows = source.rows()
    holders = Holdings(rows).holders
    try:
        subjects = queries.subjects_for(subject, groups)
    except QuestionError:
        raise click.UsageError(hints.no_subject(subject, holders)) from None
    check_names(rows, "", groups)
    found = queries.what_can(rows, subjects, time.time())
    for line in {"text": _text, "json": _json, "yaml": _yaml, "csv": _csv}[output](found):
        click.echo(line)
    if not found and subjects[0] not in holders:
        about = "" if groups else "; what somebody's groups may, --as-group adds"
        click.echo(f"hint: {hints.no_row(subject, holders)}{about}", err=True)
    raise SystemExit(0 if any(not one.line.deny for one in found) else 1)


_HEAD = ("effect", "may", "what", "which", "where", "when", "during", "by", "rows")


def _text(found: Sequence[Ability]) -> Iterator[str]:
    groups: dict[tuple[bool, str], list[tuple[str, str, str]]] = {}
    for one in found:
        by = " → ".join((one.subject, *one.roles))
        row = (one.line.may, one.line.what, one.places[0])
        scope = one.line.scope or ("" if one.line.what.startswith("/") else "everywhere")
        groups.setdefault((one.line.deny, f"{by} {scope}".strip()), []).append(row)
    for number, ((deny, title), rows) in enumerate(groups.items()):
        if number:
            yield ""
        word = style("may not", fg="red") if deny else style("may", fg="green")
        yield f"{style(title, bold=True)} {word}"
        lines = table(("  VERBS", "WHAT", "ROW"), _fitted(rows), elastic=1)
        yield from lines
    if not found:
        yield "nothing"


def _fitted(rows: Sequence[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
    """Give the verbs short names where they are many, as a table has no room for them."""
    for may, what, place in rows:
        verbs = may.replace("get|list|watch", "read")
        verbs = verbs.replace("create|update|patch|delete|deletecollection", "write")
        yield f"  {verbs}", what, place


def _records(found: Sequence[Ability]) -> Iterator[tuple[str, ...]]:
    for one in found:
        line = one.line
        effect = "deny" if line.deny else "allow"
        by = " → ".join((one.subject, *one.roles))
        yield (
            *(effect, line.may, line.what, line.which, line.where, line.when, line.span),
            *(by, " ".join(one.places)),
        )


def _json(found: Sequence[Ability]) -> Iterator[str]:
    records = [dict(zip(_HEAD, record, strict=True)) for record in _records(found)]
    yield as_json(records)


def _yaml(found: Sequence[Ability]) -> Iterator[str]:
    import yaml

    records = [dict(zip(_HEAD, record, strict=True)) for record in _records(found)]
    yield yaml.safe_dump(records, sort_keys=False, allow_unicode=True).rstrip()


def _csv(found: Sequence[Ability]) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_HEAD)
    writer.writerows(_records(found))
    yield out.getvalue().rstrip()
