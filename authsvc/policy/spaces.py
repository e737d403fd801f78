"""Sets of names, as cells describe them: does one hold all of another?

A *space* is what several patterns say together: the namespaces that a grant's
and a rule's ``where`` both match. Whether one space lies within others is
decided exactly, by walking the globs as automata, so that the tools can tell
what a change of a policy really changes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from itertools import chain
from typing import Final, TypeAlias

from authsvc.policy import globs
from authsvc.policy.escapes import class_expression, escape, pieces_of

Space: TypeAlias = frozenset[str]
"""Alternatives without ``|``, in the language of cells: what all of them match."""

EVERYWHERE: Final[Space] = frozenset()

_TOGETHER: Final = 8
"""Spaces of which what they hold together is found out."""

_ODD: Final = "\uffff"
"""A character that no cell is likely to name."""

_MAX_STATES: Final = 4_000
"""Steps after which the question is given up, and answered with no."""


def spaces_of(pattern: globs.Pattern) -> list[Space]:
    """Return the alternatives of a cell, each as a space."""
    return [
        EVERYWHERE if option is globs.EVERYTHING else frozenset({_text(option)})
        for option in globs.options_of(pattern)
    ]


def meet(one: Space, other: Space) -> Space | None:
    """Return what both hold, in the shortest form; None where that is nothing."""
    if not one or not other or one == other:
        return one or other
    both = one | other
    if not _may_share(one, other) or within(both, ()):
        return None
    shortest = set(both)
    for text in sorted(both):
        rest = frozenset(shortest - {text})
        if rest and within(rest, (frozenset({text}),)):
            shortest.remove(text)
    return frozenset(shortest)


def within(space: Space, others: Collection[Space]) -> bool:
    """Whether each name of a space is in one of the others; of none: whether it is empty.

    No is also the answer where finding out would take too long: what only many
    others together hold is not seen.
    """
    if any(other <= space for other in others):
        return True
    if not space:
        return _within(space, frozenset(others)) if 0 < len(others) <= _TOGETHER else False
    name = literal(space)
    if name is not None:
        return not contains(space, name) or any(contains(other, name) for other in others)
    # Nearly all that is not within is told by an example or two.
    for example in chain.from_iterable(map(_examples, space)):
        if contains(space, example) and not any(contains(other, example) for other in others):
            return False
    near = frozenset(other for other in others if _may_share(space, other))
    if len(near) <= _TOGETHER:
        return _within(space, near)
    return any(_within(space, frozenset({other})) for other in near)


def _may_share(one: Space, other: Space) -> bool:
    """Whether literal beginnings and ends leave room for a name that is in both."""
    return all(
        (a.startswith(b) or b.startswith(a)) and (c.endswith(d) or d.endswith(c))
        for a, c in map(_ends, one)
        for b, d in map(_ends, other)
    )


@lru_cache(1 << 16)
def _ends(text: str) -> tuple[str, str]:
    """Return what every name of an alternative begins and ends with."""
    (option,) = globs.options_of(_parse(text))
    return (option, option) if isinstance(option, str) else (option.prefix, option.suffix)


@lru_cache(1 << 16)
def _examples(text: str) -> tuple[str, str]:
    """Return names that an alternative matches: stars stand for nothing, and for oddities."""
    short, odd = "", ""
    for piece in pieces_of(text):
        if piece == "\0*":
            odd += _ODD
        elif piece == "\0?":
            short, odd = short + _ODD, odd + _ODD
        elif piece[0] == "\0":
            member = _member(piece[1:])
            short, odd = short + member, odd + member
        else:
            short, odd = short + piece, odd + piece
    return short, odd


def _member(bracket: str) -> str:
    """Return a character of a class."""
    expression = re.compile(class_expression(bracket), re.DOTALL)
    return next((one for one in (*bracket, _ODD) if expression.match(one)), _ODD)


def contains(space: Space, name: str) -> bool:
    """Whether a name is in the space."""
    return all(globs.matches(_parse(text), name) for text in space)


def example(space: Space) -> str | None:
    """Return a name of the space; None where none is at hand."""
    if not space:
        return _ODD
    names = chain.from_iterable(map(_examples, space))
    return next((name for name in names if contains(space, name)), None)


def show(space: Space, everything: str = "*") -> str:
    """Return a space as people write it."""
    return " and ".join(sorted(space)) or everything


_parse = lru_cache(1 << 14)(globs.parse)


def _text(option: str | globs.Glob) -> str:
    return escape(option) if isinstance(option, str) else option.cell


def literal(space: Space) -> str | None:
    """Return the one name that the space can hold; None where globs leave it open."""
    for text in space:
        for option in globs.options_of(_parse(text)):
            if isinstance(option, str):
                return option
    return None


class _Automaton:
    """A glob as states, a bit for each place in it."""

    def __init__(self, text: str) -> None:
        self.pieces = pieces_of(text)
        self.last = 1 << len(self.pieces)
        self.start = self._rest(1)
        self._classes = {
            piece: re.compile(class_expression(piece[1:]), re.DOTALL)
            for piece in self.pieces
            if piece.startswith("\0[")
        }

    def step(self, states: int, character: str) -> int:
        """Return the states behind one more character."""
        following = 0
        for at, piece in enumerate(self.pieces):
            if not states >> at & 1:
                continue
            if piece == "\0*":
                following |= 1 << at
            elif piece in {character, "\0?"} or (
                piece in self._classes and self._classes[piece].match(character)
            ):
                following |= 2 << at
        return self._rest(following)

    def _rest(self, states: int) -> int:
        """A star may also stand for nothing."""
        for at, piece in enumerate(self.pieces):
            if piece == "\0*" and states >> at & 1:
                states |= 2 << at
        return states


@lru_cache(1 << 16)
def _within(space: Space, others: frozenset[Space]) -> bool:
    """Look for a name of the space that none of the others has, state by state."""
    texts = sorted(space.union(*others))
    automata = [_Automaton(text) for text in texts]
    alphabet = _alphabet(automata)
    inside = [texts.index(text) for text in space]
    outside = [[texts.index(text) for text in other] for other in others]
    start = tuple(automaton.start for automaton in automata)
    seen, todo = {start}, [start]
    while todo:
        states = todo.pop()
        accepts = [
            bool(state & automaton.last) for state, automaton in zip(states, automata, strict=True)
        ]
        if all(accepts[at] for at in inside) and not any(
            all(accepts[at] for at in other) for other in outside
        ):
            return False
        for character in alphabet:
            following = tuple(
                automaton.step(state, character)
                for state, automaton in zip(states, automata, strict=True)
            )
            if following not in seen and all(following[at] for at in inside):
                if len(seen) >= _MAX_STATES:
                    return False
                seen.add(following)
                todo.append(following)
    return True


def _alphabet(automata: Iterable[_Automaton]) -> list[str]:
    """Return one character of each range in which no glob tells two apart."""
    bounds = {0}
    for automaton in automata:
        for piece in automaton.pieces:
            for character in piece:
                bounds |= {ord(character), ord(character) + 1}
    return [chr(bound) for bound in sorted(bounds) if bound < 0x110000]
