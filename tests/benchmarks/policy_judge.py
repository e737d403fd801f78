"""The long trial: Casbin's enforcer judges the index, as in tests/policy/test_judge.py.

Run ``python -m tests.benchmarks.policy_judge [DECISIONS]``, 200,000 by default;
it takes some 20 minutes and prints the line that policy/README.md quotes.
"""

from __future__ import annotations

import sys
import time
from collections import Counter

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from authsvc.interfaces import Attributes, Effect
from tests.policy.judge import judge
from tests.policy.strategies import policies, requests

REQUESTS = 50


def main(decisions: int) -> None:
    """Judge so many decisions; ends with an error at the first disagreement."""
    seen: Counter[Effect] = Counter()
    judged: set[str] = set()
    start = time.monotonic()

    @settings(
        max_examples=decisions // REQUESTS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(
        policies(),
        st.lists(requests(), min_size=REQUESTS, max_size=REQUESTS),
        st.sampled_from((0, 1, 8)),
    )
    def trial(text: str, asked: list[Attributes], few: int) -> None:
        seen.update(judge(text, asked, few))
        judged.add(text)
        if len(judged) % 100 == 0:
            print(f"\r{seen.total():,} of {decisions:,}", end="", file=sys.stderr, flush=True)

    trial()
    effects = ", ".join(f"{seen[effect]:,} {effect.value}" for effect in Effect)
    print(
        f"\r{seen.total():,} decisions over {len(judged):,} policies ({effects}), "
        f"no disagreement, {time.monotonic() - start:,.0f} s"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
