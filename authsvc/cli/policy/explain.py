"""``authsvc policy explain``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from authsvc.cli.policy.options import (
    PolicySource,
    check_names,
    hint_at_words,
    parse_extra,
    parse_moment,
    policy_options,
    question_options,
    request_of,
)
from authsvc.cli.policy.output import as_json, plural, style, width, wrap

if TYPE_CHECKING:
    from authsvc.policy.explanation import Explanation, GrantNode, Holder, RuleNode


@click.command(
    epilog="Example: authsvc policy explain --as alice --as-group dev get pods/log -n team-a"
)
@policy_options
@click.option("--as", "username", default="", help="The user who asks.")
@click.option("--as-group", "groups", multiple=True, help="A group that they are in.")
@click.option("--as-uid", "uid", default="", help="Their uid.")
@click.option("--as-user-extra", "extra", multiple=True, help="An extra value: KEY=VALUE.")
@question_options
@click.option("--at", help="When: 2026-11-23T20:00:00Z.  [default: now]")
@click.option("--all", "everything", is_flag=True, help="Show rows about other resources as well.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def explain(
    source: PolicySource,
    *,
    everything: bool,
    output: str,
    **words: Any,
) -> None:
    """Say whether VERB WHAT [NAME] is allowed, and why: each path, each row, the nearest miss.

    WHAT is resource[.group][/subresource] or /path. As for the API server,
    every user is in system:authenticated, and service accounts (--as
    system:serviceaccount:NS:NAME or serviceaccount:NS:NAME) are in their own
    groups.

    Exit status: 0 allowed, 1 not.
    """
    from authsvc.interfaces import Effect
    from authsvc.policy import asking, explanation

    if not words["username"] and not words["groups"]:
        raise click.UsageError("say who asks: --as USER, --as-group GROUP")
    extra = parse_extra(words["extra"])
    try:
        user = asking.asker(words["username"], words["groups"], words["uid"], extra)
    except asking.QuestionError as error:
        raise click.UsageError(f"--as {error}") from None
    request = request_of(user, words)
    now = parse_moment(words["at"]) if words["at"] else time.time()
    snapshot = source.load()
    check_names(snapshot.rows, words["username"], words["groups"])
    told = explanation.explain(snapshot, request, now)
    if output == "json":
        click.echo(as_json(_record(told)))
    else:
        for line in _text(told, everything=everything):
            click.echo(line)
    hint_at_words(snapshot.rows, request)
    raise SystemExit(0 if told.decision.effect is Effect.ALLOW else 1)


def _text(told: Explanation, *, everything: bool) -> Iterator[str]:
    from authsvc.interfaces import Effect
    from authsvc.policy import asking

    yield f"{style(asking.show(told.request), bold=True)}   {asking.show_user(told.request.user)}"
    effect, reason, _, _ = told.decision
    if effect is Effect.NO_OPINION:
        verdict = "NO OPINION: no row applies, so the next authorizer is asked (RBAC, say)"
        yield from (style(line, fg="yellow", bold=True) for line in wrap(verdict, width()))
    else:
        colour = "green" if effect is Effect.ALLOW else "red"
        for line in wrap(reason[0].upper() + reason[1:], width()):
            yield style(line, fg=colour, bold=True)
    for holder in told.tree:
        yield ""
        yield style(holder.name, bold=True)
        yield from _branches(holder, "", everything=everything)
    if not told.tree:
        yield "no row is for any of these subjects"
    yield from _nearest(told)


def _branches(holder: Holder, indent: str, *, everything: bool) -> Iterator[str]:
    shown = [
        node
        for node in holder.rules
        if everything or all(miss.cell != "what" for miss in node.misses)
    ]
    hidden = len(holder.rules) - len(shown)
    branches: list[list[str]] = [_rule(node, len(indent) + 3) for node in shown]
    if hidden:
        verb = "is" if hidden == 1 else "are"
        text = f"{plural(hidden, 'row')} {verb} about something else (--all)"
        branches.append([style(text, dim=True)])
    branches += [_grant(node, indent + "     ", everything=everything) for node in holder.grants]
    for number, lines in enumerate(branches):
        last = number == len(branches) - 1
        for at, line in enumerate(lines):
            guide = ("└─ " if last else "├─ ") if at == 0 else ("   " if last else "│  ")
            yield guide + line


def _rule(node: RuleNode, indent: int) -> list[str]:
    rule = node.rule
    place = "" if rule.where == "*" else f" in {rule.where}"
    name = "" if rule.which == "*" else f" named {rule.which}"
    when = f" when {rule.when}" if rule.when else ""
    text = f"{rule.effect} {rule.may} {rule.what}{name}{place}{when}"
    colour = None if node.misses else ("red" if rule.effect == "deny" else "green")
    return _marked(rule.place, text, [miss.why for miss in node.misses], colour, indent)


def _grant(node: GrantNode, indent: str, *, everything: bool) -> list[str]:
    grant = node.grant
    place = "" if grant.where == "*" else f" in {grant.where}"
    span = f" from {grant.since}" if grant.since else ""
    span += f" until {grant.until}" if grant.until else ""
    again = " (shown above)" if any(role.left_out for role in node.roles) else ""
    text = f"{grant.role}{place}{span}{again}"
    colour = "red" if node.misses else "cyan"
    lines = _marked(
        grant.place,
        text,
        [miss.why for miss in node.misses],
        None if node.misses else colour,
        len(indent),
    )
    for role in node.roles:
        lines += ["  " + line for line in _branches(role, indent, everything=everything)]
    return lines


def _marked(
    place: str, text: str, misses: Iterable[str], colour: str | None, indent: int
) -> list[str]:
    misses = list(misses)
    mark = "✗" if misses else "✓"
    first, *rest = wrap(text, width() - indent - 4)
    lines = [style(f"{mark} {first}", fg=colour)]
    lines += [style(f"  {line}", fg=colour) for line in rest]
    for why in misses:
        lines += [style(f"  {line}", fg="yellow") for line in wrap(why, width() - indent - 4)]
    lines.append(style(f"  {place}", dim=True))
    return lines


def _nearest(told: Explanation) -> Iterator[str]:
    if told.nearest:
        yield ""
        yield style("Nearest", bold=True)
        for near in told.nearest:
            for at, line in enumerate(wrap(near.miss, width() - 4)):
                yield ("  - " if at == 0 else "    ") + line
            yield style(f"    {' '.join(near.places)}", dim=True)
    if told.roles:
        yield ""
        yield style("Roles that would allow it here", bold=True)
        for line in wrap(", ".join(told.roles), width() - 2):
            yield f"  {line}"


def _record(told: Explanation) -> dict[str, object]:
    from authsvc.policy import asking

    return {
        "request": asking.show(told.request),
        "user": asking.show_user(told.request.user),
        "effect": told.decision.effect.value,
        "reason": told.decision.reason,
        "rows": list(told.decision.rules),
        "applies": [
            {"rule": match.rule.place, "effect": match.rule.effect, "via": match.path}
            for match in told.matches
        ],
        "tree": [_holder_record(holder) for holder in told.tree],
        "nearest": [near._asdict() for near in told.nearest],
        "rolesThatWouldAllow": list(told.roles),
    }


def _holder_record(holder: Holder) -> dict[str, object]:
    return {
        "name": holder.name,
        "rules": [
            {**node.rule._asdict(), "misses": {miss.cell: miss.why for miss in node.misses}}
            for node in holder.rules
        ],
        "grants": [
            {
                **node.grant._asdict(),
                "misses": {miss.cell: miss.why for miss in node.misses},
                "roles": [_holder_record(role) for role in node.roles],
            }
            for node in holder.grants
        ],
    }
