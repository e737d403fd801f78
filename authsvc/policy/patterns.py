"""Many patterns asked at once: which of them match this text?

Literal names are looked up. A glob is filed under its literal prefix or its
literal suffix, whichever fewer others share, and asked only when the text has
it; what has neither is asked after a search for its longest literal. So ten
thousand globs cost no more than the few that could match.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Generic, TypeAlias, TypeVar

from authsvc.policy import globs
from authsvc.policy.globs import EVERYTHING, Glob, Pattern

T = TypeVar("T")


class PatternTable(Generic[T]):
    """Values, each filed under a pattern; immutable."""

    __slots__ = ("_always", "_exact", "_globs")

    def __init__(self, entries: Iterable[tuple[Pattern, T]]) -> None:
        always: list[T] = []
        exact: dict[str, list[T]] = {}
        filed: list[tuple[Glob, T]] = []
        for pattern, value in entries:
            for option in globs.options_of(pattern):
                if option is EVERYTHING:
                    always.append(value)
                elif isinstance(option, str):
                    exact.setdefault(option, []).append(value)
                else:
                    filed.append((option, value))
        self._always = tuple(always)
        self._exact = {text: tuple(values) for text, values in exact.items()}
        self._globs = _GlobTable(filed) if filed else None

    def find(self, text: str) -> Iterator[T]:
        """Yield the values whose pattern matches; one twice where two of its alternatives do."""
        yield from self._always
        yield from self._exact.get(text, ())
        if self._globs is not None:
            yield from self._globs.find(text)


_Filed: TypeAlias = tuple[str, Glob, T]


class _GlobTable(Generic[T]):
    """The globs of a table, each with the longest literal of its middle."""

    __slots__ = ("_by_prefix", "_by_suffix", "_prefix_lengths", "_rest", "_suffix_lengths")

    def __init__(self, entries: list[tuple[Glob, T]]) -> None:
        prefixes = Counter(glob.prefix for glob, _ in entries)
        suffixes = Counter(glob.suffix for glob, _ in entries)
        self._by_prefix: dict[str, list[_Filed[T]]] = {}
        self._by_suffix: dict[str, list[_Filed[T]]] = {}
        self._rest: list[_Filed[T]] = []
        for glob, value in entries:
            filed = (globs.middle(glob), glob, value)
            shared = len(entries) + 1
            by_prefix = prefixes[glob.prefix] if glob.prefix else shared
            by_suffix = suffixes[glob.suffix] if glob.suffix else shared
            if by_prefix == by_suffix == shared:
                self._rest.append(filed)
            elif by_prefix <= by_suffix:
                self._by_prefix.setdefault(glob.prefix, []).append(filed)
            else:
                self._by_suffix.setdefault(glob.suffix, []).append(filed)
        self._prefix_lengths = sorted({len(prefix) for prefix in self._by_prefix})
        self._suffix_lengths = sorted({len(suffix) for suffix in self._by_suffix})

    def find(self, text: str) -> Iterator[T]:
        for bucket in self._buckets(text):
            # The search is a C call; most of a long bucket ends here.
            for glob, value in [(glob, value) for has, glob, value in bucket if has in text]:
                if glob.matches(text):
                    yield value

    def _buckets(self, text: str) -> Iterator[list[_Filed[T]]]:
        size = len(text)
        for length in self._prefix_lengths:
            if length > size:
                break
            if bucket := self._by_prefix.get(text[:length]):
                yield bucket
        for length in self._suffix_lengths:
            if length > size:
                break
            if bucket := self._by_suffix.get(text[-length:]):
                yield bucket
        if self._rest:
            yield self._rest
