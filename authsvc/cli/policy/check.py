"""``authsvc policy check``."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from authsvc.cli.policy.files import text_of
from authsvc.cli.policy.options import PolicySource, policy_argument, policy_options
from authsvc.cli.policy.output import Progress, as_json, plural, style, width, wrap
from authsvc.policy.lint.finding import Kind

if TYPE_CHECKING:
    from authsvc.errors import InvalidPolicyError
    from authsvc.policy.resources import Catalogue

_KINDS = [kind.value for kind in Kind]


class _Line(NamedTuple):
    file: str
    line: int
    severity: str
    kind: str
    message: str
    help: str


@click.command(
    epilog="Example: authsvc policy check policy --strict --ignore escalation --ignore unbound-role"
)
@policy_options
@policy_argument
@click.option("--strict", is_flag=True, help="Let warnings make the exit status 1 as well.")
@click.option(
    "--ignore",
    type=click.Choice(_KINDS),
    multiple=True,
    metavar="KIND",
    help=f"Leave out a kind: {', '.join(_KINDS)}.",
)
@click.option(
    "--resources",
    type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True),
    help="What the API server has, in place of Kubernetes' own: `kubectl api-resources -o wide`, "
    "or discovery documents as JSON.",
)
@click.option("--cluster", is_flag=True, help="Ask kubectl for what the API server has.")
@click.option("-o", "--output", type=click.Choice(["text", "json", "github"]), default="text")
def check(
    source: PolicySource,
    *,
    strict: bool,
    ignore: tuple[str, ...],
    resources: Path | None,
    cluster: bool,
    output: str,
) -> None:
    """Report what is wrong with a policy, and what is perhaps not meant, row by row.

    Errors are what no policy may have. Warnings: rows without an effect
    (duplicate, shadowed, unreachable, redundant-grant, expired), denies that
    asking for more walks round (bypassable), rows about what no API server is
    asked (unknown-resource, unfit-verb, never-matches).
    Notes: roles that nobody has, and who can come to more than their rows say
    (escalation).

    Without --resources or --cluster, only resources in Kubernetes' own API
    groups are judged.

    Exit status: 0 no error (with --strict: and no warning), 1 some.
    """
    place, law = source.find()
    catalogue = _catalogue(resources, cluster=cluster)
    found = [line for line in _findings(place, law, catalogue) if line.kind not in ignore]
    show = {"text": _text, "json": _json, "github": _github}[output]
    for text in show(found):
        click.echo(text)
    bad = {"error", "warning"} if strict else {"error"}
    raise SystemExit(1 if any(line.severity in bad for line in found) else 0)


def warnings_of(place: Path) -> int:
    """Return how many warnings there are about a policy that can be read."""
    found = _findings(place, None, _catalogue(None, cluster=False))
    return sum(line.severity == "warning" for line in found)


def _catalogue(resources: Path | None, *, cluster: bool) -> Catalogue:
    from authsvc.policy.resources import Catalogue

    if resources is not None and cluster:
        raise click.UsageError("--resources and --cluster are two answers to one question")
    if cluster:
        with Progress("asking the cluster"):
            return Catalogue.of_cluster(_ask_kubectl(), "kubectl api-resources")
    if resources is not None:
        with click.open_file(str(resources), encoding="utf-8") as file:
            return Catalogue.of_cluster(text_of(file), str(resources))
    return Catalogue.shipped()


def _ask_kubectl() -> str:
    command = ["kubectl", "api-resources", "-o", "wide"]
    try:
        done = subprocess.run(  # noqa: S603  fixed arguments
            command, capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise click.UsageError(f"kubectl cannot be run: {error}") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it failed"]
        raise click.UsageError(f"kubectl: {said[-1]}")
    return done.stdout


def _findings(place: Path, law: Path | None, catalogue: Catalogue) -> list[_Line]:
    from authsvc.errors import InvalidPolicyError
    from authsvc.policy import Model, read
    from authsvc.policy.holdings import Holdings
    from authsvc.policy.lint import Inspected, lint

    errors: list[_Line] = []
    rows = None
    with Progress("checking the policy"):
        try:
            rows = read(place)
        except InvalidPolicyError as error:
            errors += _errors(error)
        try:
            if law is not None:
                Model.read(law)
        except InvalidPolicyError as error:
            errors += _errors(error)
        if rows is None:
            return errors
        found = lint(Inspected(rows, Holdings(rows), catalogue, time.time()))
    # A row's file is a label; what opens in an editor is its path.
    is_folder = place.is_dir()
    paths = {file: str(place / Path(file).name if is_folder else place) for file in rows.files}
    return errors + [
        _Line(paths[one.file], one.line, one.severity.value, one.kind, one.message, one.help)
        for one in found
    ]


def _errors(error: InvalidPolicyError) -> list[_Line]:
    return [_Line(one.file, one.line, "error", "error", one.message, "") for one in error.errors]


_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def _text(found: Iterable[_Line]) -> Iterator[str]:
    counts = dict.fromkeys(_COLOURS, 0)
    for one in found:
        counts[one.severity] += 1
        place = f"{one.file}:{one.line}" if one.line else one.file
        severity = style(f"{one.severity}:", fg=_COLOURS[one.severity], bold=True)
        if one.severity == "error":  # one line each, for whatever reads them
            yield f"{place}: {severity} {one.message}"
            continue
        yield f"{style(place, bold=True)}: {severity} {style(one.kind, dim=True)}"
        for line in wrap(one.message, width() - 4):
            yield f"    {line}"
        for line in wrap(one.help, width() - 6) if one.help else ():
            yield style(f"    → {line}", fg="green")
    said = [plural(count, word) for word, count in counts.items() if count]
    yield ", ".join(said) or "nothing to report"


def _json(found: Iterable[_Line]) -> Iterator[str]:
    yield as_json([one._asdict() for one in found])


def _github(found: Iterable[_Line]) -> Iterator[str]:
    """Yield the workflow commands by which GitHub shows findings beside the lines."""
    for one in found:
        level = "notice" if one.severity == "note" else one.severity
        message = f"{one.message} {one.help}".strip().replace("%", "%25")
        yield f"::{level} file={one.file},line={one.line or 1},title={one.kind}::{message}"
