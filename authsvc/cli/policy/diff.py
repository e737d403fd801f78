"""``authsvc policy diff``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from authsvc.cli.policy.output import Progress, as_json, plural, refusing, style, width, wrap

if TYPE_CHECKING:
    from authsvc.policy.comparing import Change, Changes

_SHOWN = 4
"""Subjects named in a heading."""


@click.command(
    epilog="Example: authsvc policy diff HEAD:policy policy      (as a check of a merge request)"
)
@click.argument("old")
@click.argument("new", default="policy", required=False)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@click.option("--all", "everything", is_flag=True, help="Name every resource of a long list.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing; only the exit status tells.")
def diff(old: str, new: str, output: str, *, everything: bool, quiet: bool) -> None:
    """Tell who gains and who loses what, from now on, when OLD becomes NEW.

    OLD and NEW are folders, files, or REVISION:FOLDER of git. Not lines are
    compared but effects: rows that are moved, split, joined or given by way of
    a role are no difference, nor are grants that are over.

    Nothing that changes any decision is left out. Where cells are lists of
    names, what is said is exact; a glob that reaches further is said as a
    whole, with what was there before beside it, and a part of it that several
    other rows had together may be said again. Each user and group is looked at
    alone: an allow by one group under a deny by another is still an allow here.
    Only the shipped model is understood.

    Exit status: 0 no difference, 1 some, 2 a policy cannot be read.
    """
    from authsvc.policy.comparing import compare
    from authsvc.policy.revisions import read_revision

    with refusing():
        with Progress("reading the policies"):
            before, after = read_revision(old), read_revision(new)
        with Progress("comparing"):
            changes = compare(before, after, time.time())
    if not quiet:
        for line in _json(changes) if output == "json" else _text(changes, everything=everything):
            click.echo(line)
    raise SystemExit(1 if changes else 0)


def _text(changes: list[Changes], *, everything: bool) -> Iterator[str]:
    for group in changes:
        yield style(_names(group.subjects), bold=True)
        for gained, deny, heading, mark, colour in _KINDS:
            kind = [
                change
                for change in group.changes
                if change.gained is gained and change.atom.deny is deny
            ]
            if kind:
                yield f"  {heading}"
                yield from _lines(kind, mark, colour, everything=everything)
        yield ""
    if not changes:
        yield "no difference: every request is decided as before"
    else:
        yield _summary(changes)


_KINDS = (
    (True, False, "may now", "+", "green"),
    (False, False, "may no longer", "-", "red"),
    (True, True, "are now denied, whatever else they may", "!", "magenta"),
    (False, True, "are no longer denied", "~", "yellow"),
)


def _lines(changes: Iterable[Change], mark: str, colour: str, *, everything: bool) -> Iterator[str]:
    """Yield what came by one row, or by one grant of a role, with what there is of it still."""
    from authsvc.policy.wording import merge

    together: dict[tuple[str, str, str], list[Change]] = {}
    for change in changes:
        by = change.places[1] if change.role else change.places[0]
        together.setdefault((change.role, by, _overlap(change)), []).append(change)
    for (role, by, overlap), kind in together.items():
        for line in merge(change.atom for change in kind):
            what = line.what if everything else _shortened(line.what)
            yield from _wrapped(f"    {mark} ", f"{line.may} {what} {line.scope}", colour)
        if overlap:
            yield from _wrapped("        ", overlap)
        yield from _wrapped("        ", f"by {role + ', ' if role else ''}{by}", dim=True)


def _overlap(change: Change) -> str:
    from authsvc.policy.wording import merge

    if not change.overlap:
        return ""
    (line,) = merge((change.atom,))
    parts = []
    for other in merge(change.overlap):
        may = "" if other.may == line.may else other.may
        what = "" if other.what == line.what else other.what
        parts.append(" ".join(word for word in (may, what, other.scope) if word) or "as a whole")
    return ("of that already " if change.gained else "but still ") + ", and ".join(parts)


def _shortened(what: str) -> str:
    names = what.split("|")
    if len(names) <= _SHOWN + 1:
        return what
    return f"{'|'.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"


def _wrapped(indent: str, text: str, colour: str | None = None, **how: Any) -> Iterator[str]:
    for number, line in enumerate(wrap(text.strip(), width() - len(indent))):
        begin = indent if number == 0 else " " * len(indent)
        yield style(begin + line, fg=colour, **how)


def _names(subjects: tuple[str, ...]) -> str:
    from authsvc.policy.cells import show_subject

    names = [show_subject(subject) for subject in subjects]
    names = ["user:* (everybody)" if name == "user:*" else name for name in names]
    if len(names) <= _SHOWN + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"


def _summary(changes: list[Changes]) -> str:
    counts = []
    for gained, deny, _, _, _ in _KINDS:
        who = {
            subject
            for group in changes
            if any(c.gained is gained and c.atom.deny is deny for c in group.changes)
            for subject in group.subjects
        }
        counts.append(len(who))
    words = ("with more", "with less", "with a new deny", "with a deny less")
    said = [f"{plural(n, 'subject')} {word}" for n, word in zip(counts, words, strict=True) if n]
    return ", ".join(said)


def _json(changes: list[Changes]) -> Iterator[str]:
    yield as_json(list(_records(changes)))


def _records(changes: list[Changes]) -> Iterator[dict[str, object]]:
    from authsvc.policy.cells import show_subject
    from authsvc.policy.wording import merge

    for group in changes:
        for change in group.changes:
            (line,) = merge((change.atom,))
            yield {
                "subjects": [show_subject(subject) for subject in group.subjects],
                "change": "gained" if change.gained else "lost",
                "effect": "deny" if line.deny else "allow",
                "verb": line.may,
                "what": line.what,
                "which": line.which,
                "where": line.where,
                "when": line.when,
                "during": line.span,
                "rows": list(change.places),
                "overlap": [one._asdict() for one in merge(change.overlap)],
            }
