"""Actions of the index: which pairs of ``what`` and ``may`` does a request match?

A rule's action is a number: that of its pair, with a bit where the rule denies
and another where it has conditions. There are as many as there are different
pairs, however many rows.
"""

from __future__ import annotations

from array import array
from typing import Final, NamedTuple

from authsvc.interfaces import Attributes
from authsvc.policy.background_load import STEP, yield_gil
from authsvc.policy.cells import ANY, SOME, Paths, Resource
from authsvc.policy.patterns import PatternTable
from authsvc.policy.rows import Rules

DENY: Final = 1
CONDITIONAL: Final = 2
_VARIANTS: Final = (0, DENY, CONDITIONAL, DENY | CONDITIONAL)

_CACHED: Final = 4096
_CACHED_ACTIONS: Final = 1 << 20
_CACHED_KEY: Final = 256
"""Characters of a request's words that are remembered: clients choose them."""


class Asked(NamedTuple):
    """The actions that a request matches."""

    every: frozenset[int]
    deny: frozenset[int]


class ActionTable:
    """Finds the actions of a request. ``of_row`` gives each rule's."""

    def __init__(self, rules: Rules) -> None:
        self.of_row = array("I")
        self._verbs = [action.verbs for action in rules.actions]
        self._resources: dict[Resource, list[int]] = {}
        self._cache: dict[tuple[str, ...], Asked] = {}
        self._cached = 0
        paths = []
        for pair, action in enumerate(rules.actions):
            if isinstance(action.target, Paths):
                paths.append((action.target.pattern, pair))
            else:
                for resource in action.target:
                    self._resources.setdefault(resource, []).append(pair)
            if pair % STEP == 0:
                yield_gil()
        self._paths = PatternTable(paths)
        for start in range(0, len(rules), STEP):
            pairs, denies = rules.action[start : start + STEP], rules.deny[start : start + STEP]
            self.of_row.extend(4 * pair + deny for pair, deny in zip(pairs, denies, strict=True))
            yield_gil()
        for row in rules.when:
            self.of_row[row] |= CONDITIONAL
        self._used = set(self.of_row)

    def matching(self, attributes: Attributes) -> Asked:
        """Return the actions that the request's verb and resource, or path, match."""
        if attributes.resource_request:
            key: tuple[str, ...] = (
                attributes.verb,
                attributes.resource,
                attributes.api_group,
                attributes.subresource,
            )
        else:
            key = (attributes.verb, attributes.path)
        return self._cache.get(key) or self._find(key)

    def _find(self, key: tuple[str, ...]) -> Asked:
        verb, *target = key
        pairs = self._paths.find(*target) if len(target) == 1 else self._about(*target)
        every = frozenset(
            action
            for pair in pairs
            if (verbs := self._verbs[pair]) is None or verb in verbs
            for variant in _VARIANTS
            if (action := 4 * pair + variant) in self._used
        )
        asked = Asked(every, frozenset(action for action in every if action & DENY))
        self._remember(key, asked)
        return asked

    def _about(self, resource: str, group: str, subresource: str) -> list[int]:
        """Return the pairs whose ``what`` covers a resource."""
        parts: list[str | int] = [subresource, ANY]
        if subresource:
            parts.append(SOME)
        pairs: list[int] = []
        for one in (resource, ANY):
            for of in (group, ANY):
                for part in parts:
                    # Resource is a tuple, and so are its keys: a plain one is faster to make.
                    pairs += self._resources.get((one, of, part), ())  # type: ignore[call-overload]  # see above
        return pairs

    def _remember(self, key: tuple[str, ...], asked: Asked) -> None:
        if sum(map(len, key)) > _CACHED_KEY:
            return
        size = len(asked.every) + len(asked.deny)
        if len(self._cache) >= _CACHED or self._cached + size > _CACHED_ACTIONS:
            self._cache.clear()
            self._cached = 0
        self._cached += size
        self._cache[key] = asked
