"""``authsvc policy test``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from authsvc.cli.policy.files import text_of, write_bytes
from authsvc.cli.policy.options import PolicySource, policy_options
from authsvc.cli.policy.output import Progress, plural, style, width, wrap

if TYPE_CHECKING:
    from authsvc.policy.rows import Rows
    from authsvc.policy.testing import Result, Suite


@click.command(
    epilog="Example: authsvc policy test policy/tests/*.yaml --coverage --junit report.xml"
)
@policy_options
@click.argument("files", type=click.File("r", encoding="utf-8"), nargs=-1, required=True)
@click.option("--coverage", is_flag=True, help="List the rows that no question came to.")
@click.option(
    "--min-coverage", type=click.IntRange(0, 100), default=0, help="Fail below so many per cent."
)
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write this file.")
@click.option("-v", "--verbose", is_flag=True, help="Print what went well, too.")
def test(
    source: PolicySource,
    files: Sequence[TextIO],
    *,
    coverage: bool,
    min_coverage: int,
    junit: Path | None,
    verbose: bool,
) -> None:
    """Ask a policy the questions in FILES (YAML), and compare its answers.

    \b
    given:
      alice: {user: alice, groups: [team-a]}
    tests:
    - name: teams work in their own namespaces
      as: alice
      can:
      - create deployments.apps -n team-a
      - {ask: get pods/log web -n team-a, by: teams.csv:3}
      cannot:
      - get pods -n team-b
      - {ask: get secrets -n prod, denied: true}

    A question is in kubectl's words; `by` is the row, file, role or subject
    that is to decide; `at` is the time, `rows: |` adds rows for the tests.

    Exit status: 0 all as expected, 1 something not, 2 wrong usage.
    """
    from authsvc.policy import junit as xml
    from authsvc.policy import testing

    suites = [testing.read_suite(text_of(file), file.name) for file in files]
    results: dict[str, list[Result]] = {}
    missed: set[str] | None = None
    doubts: list[str] = []
    policy = source.load()
    folder, _ = source.find()
    with Progress("testing the policy") as progress:
        for suite in suites:
            snapshot = testing.with_rows(policy, folder, suite) if suite.rows else policy
            rows = snapshot.rows
            doubts += _doubts(suite, rows)
            found = results.setdefault(suite.file, [])
            for result in testing.run(suite, snapshot.evaluator, time.time()):
                progress.step()
                found.append(result)
            here = testing.uncovered(rows, found, suite.file)
            missed = set(here) if missed is None else missed & set(here)
    for file, listed in results.items():
        for line in _lines(file, listed, verbose=verbose):
            click.echo(line)
    for doubt in doubts:
        click.echo(f"warning: {doubt}", err=True)
    ok = not any(result.failure for listed in results.values() for result in listed)
    covered = _summary(results, policy.rows, sorted(missed or (), key=_order), coverage=coverage)
    if junit is not None:
        write_bytes(junit, xml.render(results))
    raise SystemExit(0 if ok and covered >= min_coverage else 1)


def _doubts(suite: Suite, rows: Rows) -> Iterator[str]:
    """Yield questions about what there is not: nobody can do that, so they prove nothing."""
    from authsvc.policy.hints import Words

    words = Words(rows)
    for case in suite.cases:
        if hint := words.hint(case.request):
            yield f"{suite.file}: {case.question}: {hint}"


def _lines(file: str, results: Sequence[Result], *, verbose: bool) -> Iterator[str]:
    test = ""
    for result in results:
        if not result.failure and not verbose:
            continue
        if result.case.test != test:
            test = result.case.test
            yield style(f"{file}: {test}", bold=True)
        mark = style("✗", fg="red") if result.failure else style("✓", fg="green")
        yield f"  {mark} {result.case.question}"
        for line in wrap(result.failure, width() - 6) if result.failure else ():
            yield style(f"    {line}", fg="yellow")


def _summary(
    results: dict[str, list[Result]], rows: Rows, missed: Sequence[str], *, coverage: bool
) -> float:
    """Print the counts; return the share of rows that were come to, in per cent."""
    total = len(rows.rules) + len(rows.grants)
    share = 100 * (total - len(missed)) / total if total else 100.0
    every = [result for listed in results.values() for result in listed]
    failed = sum(bool(result.failure) for result in every)
    if coverage and missed:
        click.echo(style("Rows that no question came to", bold=True))
        for name in missed:
            click.echo(f"  {name}")
    text = f"{plural(len(every), 'question')}, {failed} failed; "
    text += f"{total - len(missed)} of {plural(total, 'row')} covered ({share:.0f} %)"
    click.echo(style(text, fg="red" if failed else "green"))
    return share


def _order(place: str) -> tuple[str, int]:
    file, _, line = place.rpartition(":")
    return file, int(line)
