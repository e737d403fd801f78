"""What an evaluator of a policy is, and how its findings become a decision with a reason.

There are two: Casbin's enforcer, which is the law, and the compiled index,
which is fast. Both answer the same questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from authsvc.interfaces import Attributes, Decision, Effect
from authsvc.policy.cells import show_subject
from authsvc.policy.rows import Grant, Rule

MAX_REASON = 1000
"""Bytes of the longest reason: it has to stay below 1 KiB."""


class Match(NamedTuple):
    """A rule that applies to a request, and how the request's subject came to it.

    ``subject`` is one of the request's own, in canonical form; ``grants`` lead
    from it, role by role, to the one that the rule names, and are empty where
    the rule names the subject itself.
    """

    rule: Rule
    subject: str
    grants: tuple[Grant, ...]

    @property
    def path(self) -> str:
        """``group:team-a → role:viewer in team-a``."""
        steps = (
            f" → {grant.role}" + (f" in {grant.where}" if grant.where != "*" else "")
            for grant in self.grants
        )
        return show_subject(self.subject) + "".join(steps)

    @property
    def places(self) -> tuple[str, ...]:
        """The rows that decided: the rule, then the grants."""
        return (self.rule.place, *(grant.place for grant in self.grants))


class Evaluator(Protocol):
    """A policy, ready to decide. Immutable but for bounded caches; safe to share by threads."""

    def decide(self, attributes: Attributes, now: float) -> Decision:
        """Decide a request; ``now`` is in seconds since the epoch."""
        ...

    def explain(self, attributes: Attributes, now: float) -> Sequence[Match]:
        """Return every rule that applies, in the order of the rows.

        Each comes with one path for each of the request's subjects that leads
        to it. For tools: the time it takes is not bounded.
        """
        ...


def decision_by(match: Match) -> Decision:
    """Return the decision that a rule makes, with its reason."""
    deny = match.rule.effect == "deny"
    reason = f"{'denied' if deny else 'allowed'} by {match.rule.place} via {match.path}"
    return Decision(Effect.DENY if deny else Effect.ALLOW, one_line(reason), match.places)


def one_line(reason: str) -> str:
    """Make a text fit for ``status.reason``: printable, one line, below 1 KiB."""
    if not reason.isprintable():
        reason = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in reason)
    raw = reason.encode()
    if len(raw) <= MAX_REASON:
        return reason
    # The beginning has the place and the subject, the end the role.
    half = MAX_REASON // 2 - 2
    return raw[:half].decode(errors="ignore") + " … " + raw[-half:].decode(errors="ignore")
