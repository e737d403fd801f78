"""``authsvc policy matrix``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from authsvc.cli.policy.options import PolicySource, policy_options
from authsvc.cli.policy.output import Progress, style, width

if TYPE_CHECKING:
    from authsvc.policy.matrix import Hold, Item, Mark, Matrix


@click.command(epilog="Example: authsvc policy matrix -o svg > matrix.svg")
@policy_options
@click.argument("columns", nargs=-1, metavar="[ROLE|SUBJECT]...")
@click.option("--all", "everything", is_flag=True, help="Show every resource of Kubernetes.")
@click.option("-o", "--output", type=click.Choice(["text", "html", "svg"]), default="text")
def matrix(
    source: PolicySource,
    columns: tuple[str, ...],
    *,
    everything: bool,
    output: str,
) -> None:
    """Show which verbs roles have on which resources: all roles, or those named.

    A column may also be user:NAME, group:NAME or serviceaccount:NS:NAME, by
    themselves. In text, each letter is a verb: g(et) l(ist) w(atch) c(reate)
    u(pdate) p(atch) d(elete) D(eletecollection), + is any other; a dot is one
    that is not held, ~ after it one that is held only for some places, names
    or under a condition, ! one that is denied.
    """
    from authsvc.policy import hints, svg
    from authsvc.policy.cells import parse_who, show_subject
    from authsvc.policy.escapes import CellError
    from authsvc.policy.holdings import Holdings
    from authsvc.policy.matrix import matrix as build
    from authsvc.policy.resources import Catalogue

    rows = source.rows()
    holdings = Holdings(rows)
    holders = holdings.holders
    named: list[str] = []
    for column in columns:
        try:
            named += parse_who(column)
        except CellError as error:
            said = str(error) if ":" in column else hints.no_subject(column, holders)
            raise click.UsageError(said) from None
    for one in named:
        if one not in holders:
            raise click.UsageError(hints.no_row(show_subject(one), holders))
    with Progress("filling the matrix"):
        built = build(
            rows,
            named or holdings.roles,
            Catalogue.shipped(),
            time.time(),
            everything=everything,
        )
    title = "Roles and what they may" if not named else "Who may what"
    if output == "svg":
        click.echo(svg.draw(built, title), nl=False)
    elif output == "html":
        click.echo(svg.page(built, title), nl=False)
    else:
        for line in _text(built):
            click.echo(line)


_LETTERS = "glwcupdD"
"""Of resources.VERBS, each."""
_COLOURS = {"g": "green", "l": "green", "w": "green", "d": "red", "D": "red", "+": "magenta"}
_CELL = 11


def _text(built: Matrix) -> Iterator[str]:
    if not built.columns:
        yield "no roles"
        return
    names = min(max((len(item.name) for item in built.items), default=0) + 3, 35)
    fitting = max((width() - names) // _CELL, 1)
    for start in range(0, len(built.columns), fitting):
        if start:
            yield ""
        yield from _band(built, start, start + fitting, names)


def _band(built: Matrix, start: int, end: int, names: int) -> Iterator[str]:
    from authsvc.policy.matrix import PATHS, show_column

    heads = [show_column(column) for column in built.columns[start:end]]
    # A long name takes two lines, so that the table stays narrow.
    for part in (0, 1):
        pieces = [_piece(head, part).ljust(_CELL) for head in heads]
        line = (" " * names + "".join(pieces)).rstrip()
        if line:
            yield style(line, bold=True)
    for group, items in groupby(built.items, lambda item: item.group):
        yield style(group if group == PATHS else (group or "core"), dim=True)
        for item in items:
            yield _line(item, start, end, names)


def _piece(head: str, part: int) -> str:
    size = _CELL - 1
    if len(head) <= size:
        return head if part == 1 else ""
    cut = head.rfind("-", 0, size) + 1 or size
    return head[:cut] if part == 0 else head[cut : cut + size]


def _line(item: Item, start: int, end: int, names: int) -> str:
    room = names - 3
    name = item.name if len(item.name) <= room else f"{item.name[: room - 1]}…"
    cells = "".join(_cell(marks) for marks in item.cells[start:end])
    return f"  {name.ljust(room)} {cells}".rstrip()


def _cell(marks: Sequence[Mark]) -> str:
    from authsvc.policy.matrix import Hold
    from authsvc.policy.resources import VERBS

    held = {mark.verb: mark.hold for mark in marks}
    others = [hold for verb, hold in held.items() if verb not in VERBS]
    letters = [(letter, held.get(verb)) for verb, letter in zip(VERBS, _LETTERS, strict=True)]
    strongest = [
        hold for hold in (Hold.ALL, Hold.SOME, Hold.DENIED, Hold.PART_DENIED) if hold in others
    ]
    letters.append(("+", strongest[0] if strongest else None))
    text = "".join(_letter(letter, hold) for letter, hold in letters)
    some = "~" if {Hold.SOME, Hold.PART_DENIED} & set(held.values()) else " "
    return f"{text}{some} "


def _letter(letter: str, hold: Hold | None) -> str:
    from authsvc.policy.matrix import Hold

    if hold is None:
        return " "
    if hold is Hold.NONE:
        return style("·", dim=True)
    if hold in {Hold.DENIED, Hold.PART_DENIED}:
        return style("!", fg="red", bold=True)
    return style(letter, fg=_COLOURS.get(letter, "yellow"), bold=hold is Hold.ALL)
