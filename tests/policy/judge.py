"""Casbin's enforcer as the judge of the index: one policy, some requests, no disagreement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from authsvc import policy
from authsvc.interfaces import Attributes, Effect
from authsvc.policy import compiler
from authsvc.policy.enforcer import CasbinEvaluator
from authsvc.policy.index import PolicyIndex
from tests.policy.strategies import NOW

MODEL = policy.Model.shipped()


def judge(text: str, requests: Sequence[Attributes], few: int) -> Counter[Effect]:
    """Ask both evaluators; from ``few`` rows and actions the index uses its tables.

    Both must come to the same effect, and every fourth time (Casbin takes long
    for it) find the same rows, by the same subjects, on paths of the same
    length. Returns how often each effect was the answer.
    """
    rows = policy.read_text({"policy.csv": text})
    casbin = CasbinEvaluator(rows, MODEL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "FEW", few)
        patch.setattr(compiler, "MANY_ACTIONS", few)
        index = PolicyIndex(rows)
    effects: Counter[Effect] = Counter()
    for number, request in enumerate(requests):
        verdict, decision = casbin.decide(request, NOW), index.decide(request, NOW)
        assert decision.effect is verdict.effect, request
        matches = index.explain(request, NOW)
        if number % 4 == 0:
            expected = [_key(match) for match in casbin.explain(request, NOW)]
            assert [_key(match) for match in matches] == expected, request
        assert set(decision.rules[:1]) <= {match.rule.place for match in matches}, request
        effects[decision.effect] += 1
    return effects


def _key(match: policy.Match) -> tuple[str, str, int]:
    return match.rule.place, match.subject, len(match.grants)
