"""``authsvc policy replay``."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import click

from authsvc.cli.policy.options import PolicySource, policy_options
from authsvc.cli.policy.output import Progress, as_json, plural, refusing, style, width, wrap

if TYPE_CHECKING:
    from authsvc.policy.replaying import Replayed


@click.command(epilog="Example: authsvc policy replay /var/log/authsvc/decisions.log --policy new")
@policy_options
@click.argument("log", type=click.File("rb"))
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def replay(source: PolicySource, log: BinaryIO, output: str) -> None:
    """Tell which decisions of a decision log would have been others under this policy.

    LOG is what the service writes (- is stdin). Each review is decided as of
    the time it was asked. Equal changes are told once, with their number.

    Exit status: 0 no decision would have been another, 1 some, 2 the log or
    the policy cannot be read, or no decision is in the log.
    """
    from authsvc.errors import InvalidReviewError
    from authsvc.policy import replaying

    counts: Counter[str] = Counter()
    changed: dict[tuple[str, ...], tuple[int, Replayed]] = {}
    with refusing():
        evaluator = source.load().evaluator
        with Progress("asking again") as progress:
            for one in replaying.replay(log, evaluator, time.time()):
                progress.step()
                counts[one.after.effect.value if not one.changed else "changed"] += 1
                if one.changed:
                    key = _key(one)
                    count, first = changed.get(key, (0, one))
                    changed[key] = (count + 1, first)
        if not counts:
            # Another log, or none: that nothing changed in it is no answer.
            raise InvalidReviewError(log.name, "no decision in it")
    for line in _json(changed) if output == "json" else _text(changed, counts):
        click.echo(line)
    raise SystemExit(1 if changed else 0)


_Changed = dict[tuple[str, ...], tuple[int, "Replayed"]]


def _key(one: Replayed) -> tuple[str, ...]:
    from authsvc.policy import asking

    return (
        *(one.before.effect.value, one.after.effect.value),
        *(asking.show_user(one.request.user), asking.show(one.request)),
    )


_KINDS = (
    (("no opinion", "allow"), "would have been allowed", "green"),
    (("deny", "allow"), "would have been allowed, and was denied", "green"),
    (("allow", "no opinion"), "would not have been allowed", "red"),
    (("allow", "deny"), "would have been denied, and was allowed", "red"),
    (("no opinion", "deny"), "would have been denied", "magenta"),
    (("deny", "no opinion"), "would not have been denied", "yellow"),
)


def _text(changed: _Changed, counts: Counter[str]) -> Iterator[str]:
    for effects, heading, colour in _KINDS:
        kind = {key: value for key, value in changed.items() if key[:2] == effects}
        if not kind:
            continue
        total = sum(count for count, _ in kind.values())
        yield style(f"{total:,} {heading}", fg=colour, bold=True)
        for key, (count, first) in sorted(kind.items(), key=lambda item: -item[1][0]):
            text = f"{count:>6,} × {key[3]}   {key[2]}"
            begin, *rest = wrap(text, width())
            yield begin
            yield from (" " * 9 + line for line in rest)
            told = first.after.reason or f"was {first.before.reason}"
            for line in wrap(f"{told} (line {first.line})", width() - 9):
                yield style(" " * 9 + line, dim=True)
        yield ""
    same = sum(counts.values()) - counts["changed"]
    different = counts["changed"]
    yield f"{plural(same + different, 'decision')}: {different:,} changed, {same:,} as before"


def _json(changed: _Changed) -> Iterator[str]:
    yield as_json(
        [
            {
                "count": count,
                "before": before,
                "after": after,
                "user": user,
                "request": question,
                "reasonBefore": first.before.reason,
                "reasonAfter": first.after.reason,
                "firstLine": first.line,
                "firstTime": first.time,
            }
            for (before, after, user, question), (count, first) in changed.items()
        ]
    )
