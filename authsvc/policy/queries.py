"""Who can do something, and what somebody can do: the policy asked the other way round."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from authsvc.interfaces import Attributes, Effect, UserInfo
from authsvc.policy import asking, wording
from authsvc.policy.atoms import Atom, row_atoms
from authsvc.policy.cells import EVERY_USER, show_subject
from authsvc.policy.evaluation import Match
from authsvc.policy.holdings import Holdings
from authsvc.policy.matching import subjects_of
from authsvc.policy.rows import Rows
from authsvc.policy.snapshot import PolicySnapshot


class Access(NamedTuple):
    """A subject that a question's answer names, and the rule by which it does."""

    subject: str
    effect: Effect
    match: Match


def who_can(
    snapshot: PolicySnapshot,
    request: Attributes,
    now: float,
    step: Callable[[], object] = lambda: None,
) -> list[Access]:
    """Return every subject of the policy that is allowed or denied, each asked for alone.

    ``request`` is the question; who asks it does not matter. What every user
    may is there once, as ``user:*``.
    """
    found = []
    for subject in Holdings(snapshot.rows).subjects:
        step()
        user = _alone(subject)
        matches = snapshot.evaluator.explain(request._replace(user=user), now)
        own = [match for match in matches if match.subject == subject]
        denies = [match for match in own if match.rule.effect == "deny"]
        if denies or own:
            effect = Effect.DENY if denies else Effect.ALLOW
            found.append(Access(show_subject(subject), effect, (denies or own)[0]))
    return found


def _alone(subject: str) -> UserInfo:
    if subject == EVERY_USER:
        return UserInfo("*")  # a name that nobody has, so only `user:*` applies
    kind, _, name = subject.partition(":")
    return UserInfo(name) if kind == "user" else UserInfo("", groups=(name,))


class Ability(NamedTuple):
    """A rule that somebody comes to: what it says there, in words, and by which rows."""

    line: wording.Line
    subject: str
    roles: tuple[str, ...]
    places: tuple[str, ...]


def what_can(rows: Rows, subjects: Sequence[str], now: float) -> list[Ability]:
    """Return all that subjects (in canonical form) may and may not, from now on; denies first."""
    holdings = Holdings(rows)
    found = [
        ability for subject in dict.fromkeys(subjects) for ability in _of(holdings, subject, now)
    ]
    return sorted(found, key=lambda ability: not ability.line.deny)


def subjects_for(text: str, groups: Sequence[str]) -> list[str]:
    """Return the subjects that ``user:alice``, ``group:a`` or ``role:r`` is made of.

    A user is also their groups, those that the API server adds, and ``user:*``.

    Raises:
        QuestionError: it is none of them.
    """
    kind, _, name = text.partition(":")
    if kind in {"group", "role"} and name:
        return [text, *(f"group:{group}" for group in groups)]
    if kind == "user" and name:
        user = asking.asker(name, groups)
    elif kind == "serviceaccount" and all(name.partition(":")) and name.count(":") == 1:
        user = asking.asker(text, groups)
    else:
        raise asking.QuestionError(f"no subject: {text!r}")
    return subjects_of(user)


def _of(holdings: Holdings, subject: str, now: float) -> Iterator[Ability]:
    rows = holdings.rows
    # One grant is several ways where its cell has alternatives.
    found: dict[tuple[int, tuple[int, ...]], dict[Atom, None]] = {}
    for way in holdings.ways(subject, now):
        for row in holdings.rules.get(way.holder, ()):
            atoms = found.setdefault((row, way.grants), {})
            atoms.update(dict.fromkeys(row_atoms(rows.rules, row, way)))
    for (row, numbers), atoms in found.items():
        grants = [rows.grants[grant] for grant in numbers]
        places = (rows.rules[row].place, *(grant.place for grant in grants))
        roles = tuple(grant.role for grant in grants)
        for line in wording.merge(atoms):
            yield Ability(line, show_subject(subject), roles, places)
