"""Patterns of one cell: what ``*``, ``?``, ``[…]``, ``|`` and the backslash mean.

A pattern is parsed once and matched against what a request holds, which is
always literal. Only the pattern can hold wildcards. ``*`` also matches ``/``:
the paths of the API server are plain strings.

No regular expression is made before a pattern is asked something that prefix,
suffix and length can not answer, so a policy of a million globs loads fast.
"""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from authsvc.policy.escapes import GLOB_CHARACTERS, alternatives, class_expression, pieces_of


class Glob:
    """One alternative with wildcards: ``prod*``, ``?*``, ``web-[0-9]``.

    ``cell`` is the text as written. ``prefix`` and ``suffix`` are the literal
    characters that every match begins and ends with.
    """

    __slots__ = ("_expression", "_floor", "cell", "prefix", "suffix")

    def __init__(self, cell: str, pieces: list[str]) -> None:
        wild = [at for at, piece in enumerate(pieces) if piece[0] == "\0"]
        middle = pieces[wild[0] : wild[-1] + 1]
        self.cell = cell
        self.prefix = "".join(pieces[: wild[0]])
        self.suffix = "".join(pieces[wild[-1] + 1 :])
        # Where only stars and question marks stand between prefix and suffix,
        # the length decides; -1 says that a regular expression has to.
        simple = _STAR in middle and set(middle) <= {_STAR, _ONE}
        self._floor = len(self.prefix) + middle.count(_ONE) + len(self.suffix) if simple else -1
        self._expression: re.Pattern[str] | None = None

    @property
    def is_simple(self) -> bool:
        """Whether prefix, suffix and length say it all."""
        return self._floor >= 0

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` is what this says."""
        if not text.startswith(self.prefix) or not text.endswith(self.suffix):
            return False
        if self._floor >= 0:
            return len(text) >= self._floor
        expression = self._expression
        if expression is None:
            expression = self._expression = re.compile(_translate(pieces_of(self.cell)), re.DOTALL)
        return expression.fullmatch(text) is not None

    def __repr__(self) -> str:
        return f"Glob({self.cell!r})"


class Alternatives:
    """Several patterns in one cell: ``team-a|team-b|prod*``."""

    __slots__ = ("cell", "globs", "literals")

    def __init__(self, cell: str, options: list[str | Glob]) -> None:
        self.cell = cell
        self.literals = frozenset(option for option in options if isinstance(option, str))
        self.globs = tuple(option for option in options if not isinstance(option, str))

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` is what one of the alternatives says."""
        return text in self.literals or any(glob.matches(text) for glob in self.globs)

    def __repr__(self) -> str:
        return f"Alternatives({self.cell!r})"


class Literal:
    """One name whose cell is not the name itself, because of a backslash: ``a\\*b``."""

    __slots__ = ("cell", "text")

    def __init__(self, cell: str, text: str) -> None:
        self.cell = cell
        self.text = text

    def matches(self, text: str) -> bool:
        """Whether ``text`` is the name."""
        return text == self.text

    def __repr__(self) -> str:
        return f"Literal({self.cell!r})"


Pattern: TypeAlias = str | Glob | Alternatives | Literal
"""What a cell says: the one name itself where it is plain, which most are."""

_STAR: Final = "\0*"
_ONE: Final = "\0?"

EVERYTHING: Final = Glob("*", [_STAR])
"""The one object for the cell ``*``, to be compared by identity."""


def parse(cell: str) -> Pattern:
    """Read a cell in which globs hold.

    Raises:
        CellError: an empty alternative, an unmatched bracket, a stray backslash.
    """
    if cell == "*":
        return EVERYTHING
    options = alternatives(cell)
    if len(options) == 1:
        option = _parse_option(options[0])
        return option if not isinstance(option, str) or option == cell else Literal(cell, option)
    return Alternatives(cell, [_parse_option(option) for option in options])


def matches(pattern: Pattern, text: str) -> bool:
    """Whether the whole of ``text`` is what the pattern says."""
    return pattern == text if isinstance(pattern, str) else pattern.matches(text)


def written(pattern: Pattern) -> str:
    """Return the cell that the pattern was read from."""
    return pattern if isinstance(pattern, str) else pattern.cell


def options_of(pattern: Pattern) -> list[str | Glob]:
    """Return the alternatives of a pattern: literal names, unescaped, and globs."""
    if isinstance(pattern, Alternatives):
        return [*sorted(pattern.literals), *pattern.globs]
    return [pattern.text if isinstance(pattern, Literal) else pattern]


def middle(glob: Glob) -> str:
    """Return the longest literal between the first and the last wildcard, or ""."""
    if glob.is_simple:
        return ""
    runs = [""]
    for piece in pieces_of(glob.cell):
        if piece[0] == "\0":
            runs.append("")
        else:
            runs[-1] += piece
    return max(runs[1:-1], key=len, default="")


def _parse_option(option: str) -> str | Glob:
    if option == "*":
        return EVERYTHING
    if "\\" not in option and not GLOB_CHARACTERS.search(option):
        return option
    pieces = pieces_of(option)
    if any(piece[0] == "\0" for piece in pieces):
        return Glob(option, pieces)
    return "".join(pieces)


def _translate(pieces: list[str]) -> str:
    """Return the regular expression of a glob.

    Each star but the last is an atomic group that stops at the first place
    where what follows fits: without going back, no name that a request holds
    can make the match slow.
    """
    runs: list[str] = [""]
    for piece in pieces:
        if piece == _STAR:
            runs.append("")
        elif piece == _ONE:
            runs[-1] += "."
        elif piece[0] == "\0":
            runs[-1] += class_expression(piece[1:])
        else:
            runs[-1] += re.escape(piece)
    if len(runs) == 1:
        return runs[0]
    first, *between, last = runs
    return first + "".join(f"(?>.*?{run})" for run in between if run) + ".*" + last
