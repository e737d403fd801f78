"""``authsvc policy who-can``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from authsvc.cli.policy.options import (
    PolicySource,
    hint_at_words,
    policy_options,
    question_options,
    request_of,
)
from authsvc.cli.policy.output import Progress, as_json, style, table

if TYPE_CHECKING:
    from authsvc.policy.queries import Access


@click.command("who-can", epilog="Example: authsvc policy who-can delete secrets -n prod")
@policy_options
@question_options
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def who_can(source: PolicySource, output: str, **words: str) -> None:
    """List who may VERB WHAT: every user, group and service account of the policy.

    WHAT is resource[.group][/subresource] or /path. Without -n it is
    cluster-scoped, or all namespaces at once; NAME is one object's.

    Each is looked at alone, so a member of a group that is denied is denied
    although listed by another group. Exit status: 0 somebody may, 1 nobody.
    """
    from authsvc.interfaces import Effect, UserInfo
    from authsvc.policy import queries

    request = request_of(UserInfo("*"), words)
    snapshot = source.load()
    with Progress("asking for each subject") as progress:
        found = queries.who_can(snapshot, request, time.time(), progress.step)
    for line in _json(found) if output == "json" else _text(found):
        click.echo(line)
    hint_at_words(snapshot.rows, request)
    raise SystemExit(0 if any(one.effect is Effect.ALLOW for one in found) else 1)


def _text(found: Sequence[Access]) -> Iterator[str]:
    from authsvc.interfaces import Effect

    for effect, colour, nobody in (
        (Effect.ALLOW, "green", "nobody may"),
        (Effect.DENY, "red", ""),
    ):
        rows = [_row(one) for one in found if one.effect is effect]
        if rows:
            head = ("MAY" if effect is Effect.ALLOW else "IS DENIED", "VIA", "ROWS")
            yield from table(head, rows, elastic=2, colour=colour)
        elif nobody:
            yield style(nobody, bold=True)


def _row(one: Access) -> tuple[str, str, str]:
    via = " → ".join(grant.role for grant in one.match.grants)
    return one.subject, via or "itself", " ".join(one.match.places)


def _json(found: Sequence[Access]) -> Iterator[str]:
    yield as_json(
        [
            {
                "subject": one.subject,
                "effect": one.effect.value,
                "roles": [grant.role for grant in one.match.grants],
                "rows": list(one.match.places),
            }
            for one in found
        ]
    )
