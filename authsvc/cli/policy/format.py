"""``authsvc policy format``."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authsvc.cli.policy.options import PolicySource, policy_argument, policy_options
from authsvc.cli.policy.output import plural, style

if TYPE_CHECKING:
    from authsvc.policy import Rows


@click.command("format", epilog="Example: authsvc policy format policy --check --diff")
@policy_options
@policy_argument
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where something would change.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
@click.option("--sort", is_flag=True, help="Sort rows, too, between comments and blank lines.")
def format_(source: PolicySource, **options: bool) -> None:
    """Put the rows of each file in columns; comments and blank lines stay.

    Cells and their meaning stay as they are: files are written only where the
    rows read from them are the same as before. Files with errors are left
    alone. The order stays, too, without --sort; sort no policy whose model
    gives the order a meaning.

    Exit status: 0 all well (with --check: nothing to change), 1 not.
    """
    place, _ = source.find()
    changed = 0
    for path, old, new in _formatted(place, sort=options["sort"]):
        if old == new:
            continue
        changed += 1
        if options["diff"]:
            for line in _diff(str(path), old, new):
                click.echo(line)
        elif options["check"]:
            click.echo(f"{path}: not in columns")
        else:
            _write(path, new)
            click.echo(f"{path}: put in columns")
    if not changed:
        click.echo("all files are in columns")
    elif options["check"] or options["diff"]:
        click.echo(f"{plural(changed, 'file')} to format")
    raise SystemExit(1 if changed and (options["check"] or options["diff"]) else 0)


def _formatted(place: Path, *, sort: bool) -> Iterator[tuple[Path, str, str]]:
    """Yield each file with its text before and after; all are well before the first is."""
    from authsvc.errors import InvalidPolicyError, PolicyError
    from authsvc.policy import read, read_text
    from authsvc.policy.folder import Source, read_unchanged
    from authsvc.policy.formatting import format_text

    def contents(sources: list[Source]) -> dict[str, bytes]:
        found = {}
        for source in sources:
            with source.open() as file:
                found[source.label] = file.read()
        return found

    rows = read(place)
    old = read_unchanged(place, contents)
    path_of = {name: place / Path(name).name if place.is_dir() else place for name in old}
    new = {
        name: format_text(content, str(path_of[name]), sort=sort) for name, content in old.items()
    }
    again = read_text(new)
    if _meaning(rows) != _meaning(again):
        raise InvalidPolicyError([PolicyError(str(place), 0, "cannot be formatted: a bug")])
    for name, content in old.items():
        yield path_of[name], content.decode("utf-8"), new[name]


def _meaning(rows: Rows) -> tuple[Counter[tuple[str, ...]], Counter[tuple[str, ...]]]:
    """Return the cells of all rows, each as often as it is there."""
    return (
        Counter(tuple(rule[2:]) for rule in rows.rules),
        Counter(tuple(grant[2:]) for grant in rows.grants),
    )


def _diff(path: str, old: str, new: str) -> Iterator[str]:
    for line in difflib.unified_diff(
        old.splitlines(), new.splitlines(), path, f"{path} (in columns)", lineterm=""
    ):
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[0])
        yield style(line, fg=colour)


def _write(path: Path, text: str) -> None:
    """Write all of the file or nothing, where a link leads, with the owner and rights it had."""
    import stat

    from authsvc.errors import InvalidPolicyError, PolicyError
    from authsvc.files import reason, write_whole

    target = path.resolve()
    try:
        status = target.stat()
        owner = (status.st_uid, status.st_gid)
        write_whole(target, text.encode(), stat.S_IMODE(status.st_mode), owner)
    except OSError as error:
        raise InvalidPolicyError([PolicyError(str(path), 0, reason(error))]) from None
