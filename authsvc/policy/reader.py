"""Policy files into rows: every fault with its place, all at once, and nothing skipped."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from authsvc.errors import InvalidPolicyError, PolicyError
from authsvc.policy import cells, globs, lines
from authsvc.policy.background_load import gc_frozen, yield_gil
from authsvc.policy.conditions import parse_when
from authsvc.policy.escapes import CellError
from authsvc.policy.folder import Source, cause, read_unchanged
from authsvc.policy.hierarchy import Hierarchy
from authsvc.policy.rows import Action, Grants, Period, Rows, Rules

EMPTY: Final = "# authsvc: empty"
"""The line by which a file that had rows and has none any more says that this is meant."""

MAX_ERRORS: Final = 1000
_MEMO: Final = 1 << 16
_RULE: Final = "p, who, where, what, which, may, effect[, when]"
_GRANT: Final = "g, who, role, where[, from[, until]]"

T = TypeVar("T")


def read(path: Path, after: Rows | None = None) -> Rows:
    """Read all ``*.csv`` of a folder, by name, or one file.

    Hidden files are left out: editors and Kubernetes keep their own there.
    ``after``: the rows that these replace. A file that had some and has none
    any more was emptied by accident, unless it says that this is meant.

    Raises:
        InvalidPolicyError: all faults of all files.
    """
    filled = after.filled if after else frozenset[str]()
    return read_unchanged(path, lambda sources: _read_sources(sources, filled))


def read_text(texts: Mapping[str, str]) -> Rows:
    """Read files given as ``{name: text}``; for tools and tests.

    Raises:
        InvalidPolicyError: all faults of all files.
    """
    return _read_sources(Source(name, name, _opener(text)) for name, text in texts.items())


def _opener(text: str) -> Callable[[], BinaryIO]:
    return lambda: io.BytesIO(text.encode())


def _read_sources(sources: Iterable[Source], filled: frozenset[str] = frozenset()) -> Rows:
    reader = _Reader(filled)
    with gc_frozen():
        for source in sources:
            reader.read(source)
        return reader.finish()


class _Reader:
    """Fills the tables, row by row, and keeps what is wrong with them."""

    def __init__(self, filled_before: frozenset[str]) -> None:
        self._filled_before = filled_before
        self._filled: set[str] = set()
        self._commented = False
        self._rules = Rules()
        self._grants = Grants()
        self._files: list[str] = []
        self._errors: list[PolicyError] = []
        self._path = ""
        self._paths: list[str] = []
        self._digest = hashlib.sha256()
        self._patterns: dict[str, globs.Pattern] = {}
        self._strings: dict[str, str] = {}
        self._actions: dict[tuple[str, str], int] = {}
        self._targets: dict[str, cells.What] = {}
        self._verbs: dict[str, frozenset[str] | None] = {}
        self._hierarchy = Hierarchy()

    def read(self, source: Source) -> None:
        """Read one file into the tables."""
        self._path = source.path
        self._paths.append(source.path)
        self._files.append(source.label)
        self._rules.places.open_file(source.label)
        self._grants.places.open_file(source.label)
        before = len(self._rules) + len(self._grants) + len(self._errors)
        said_empty = 0
        self._commented = False
        try:
            with source.open() as file:
                self._digest.update(f"{len(source.label)}:{source.label}".encode())
                for first, block in lines.read_blocks(file, self._digest.update):
                    said_empty = self._read_block(first, block) or said_empty
                    yield_gil()
        except OSError as error:
            self._fault(0, cause(error))
            return
        count = len(self._rules) + len(self._grants) + len(self._errors) - before
        if count:
            self._filled.add(source.label)
        elif not self._commented:
            self._fault(0, "empty; a comment in it would say that this is meant")
        elif source.label in self._filled_before and not said_empty:
            self._fault(0, f"no rows any more; a line '{EMPTY}' says that this is meant")
        if count and said_empty:
            self._fault(said_empty, f"'{EMPTY}', but the file has rows")

    def finish(self) -> Rows:
        """Return the tables, once they hold together."""
        self._errors += self._hierarchy.faults()
        if self._errors:
            raise InvalidPolicyError(self._sorted_errors())
        filled = frozenset(self._filled)
        return Rows(self._rules, self._grants, tuple(self._files), filled, self._digest.hexdigest())

    def _sorted_errors(self) -> list[PolicyError]:
        errors = sorted(self._errors, key=lambda error: (self._paths.index(error.file), error.line))
        if len(errors) > MAX_ERRORS:
            errors[MAX_ERRORS:] = [PolicyError(self._path, 0, "and more errors")]
        return errors

    def _read_block(self, first: int, block: list[str | lines.RowError]) -> int:
        said_empty = 0
        for number, line in enumerate(block, first):
            if isinstance(line, lines.RowError):
                self._fault(number, str(line))
                continue
            try:
                row = lines.split_row(line)
            except lines.RowError as error:
                if not lines.is_comment(line):
                    self._fault(number, str(error))
                elif self._is_empty_word(line):
                    said_empty = number
                continue
            kind = row[0]
            if kind == "p":
                self._read_rule(number, row)
            elif kind == "g":
                self._read_grant(number, row)
            elif not lines.is_comment(line):
                self._fault(number, f"unknown row type {kind[:40]!r}: rows begin with p or g")
            elif self._is_empty_word(line):
                said_empty = number
        return said_empty

    def _is_empty_word(self, comment: str) -> bool:
        text = comment.strip()
        self._commented = self._commented or bool(text)
        return text == EMPTY

    def _read_rule(self, number: int, row: list[str]) -> None:
        count = len(row)
        if count != 7 and count != 8:  # noqa: PLR1714  a set look-up is slower, a million times
            self._fault(number, f"{count} cells where there must be 7 or 8: {_RULE}")
            return
        faults = len(self._errors)
        _, who, where, what, which, may, effect = row[:7]
        action = self._actions.get((what, may))
        if action is None:
            action = self._new_action(number, what, may)
        place = self._pattern(number, "where", where)
        name = self._pattern(number, "which", which)
        deny = effect == "deny"
        if not deny and effect != "allow":
            self._cell(number, "effect", cells.parse_effect, effect)
        when = self._cell(number, "when", parse_when, row[7]) if count == 8 and row[7] else None
        self._define(number, who)
        if faults != len(self._errors):
            return
        rules = self._rules
        if rules.actions[action].what[0] == "/":
            self._check_path_rule(number, place, name, row)
        rules.who.append(who)
        rules.where.append(place)
        rules.which.append(name)
        rules.action.append(action)
        rules.deny.append(deny)
        rules.places.lines.append(number)
        if when:
            rules.when[len(rules.who) - 1] = (row[7], when)

    def _read_grant(self, number: int, row: list[str]) -> None:
        count = len(row)
        if not 4 <= count <= 6:
            self._fault(number, f"{count} cells where there must be 4, 5 or 6: {_GRANT}")
            return
        faults = len(self._errors)
        who, role = row[1], row[2]
        place = self._pattern(number, "where", row[3])
        if (
            cells.PLAIN_SUBJECT.fullmatch(who)
            and not who.startswith("role:")
            and role in self._strings
        ):
            role = self._strings[role]
        else:
            self._inherit(number, who, role)
            if faults == len(self._errors):
                role = self._strings.setdefault(role, role)
        period = self._period(number, row) if count > 4 else None
        if faults != len(self._errors):
            return
        grants = self._grants
        grants.who.append(who)
        grants.role.append(role)
        grants.where.append(place)
        grants.places.lines.append(number)
        if period:
            grants.period[len(grants.who) - 1] = period

    def _pattern(self, number: int, column: str, cell: str) -> globs.Pattern:
        pattern = self._patterns.get(cell)
        if pattern is None:
            pattern = self._cell(number, column, globs.parse, cell) or cell
            if len(self._patterns) < _MEMO:
                self._patterns[cell] = pattern
        return pattern

    def _new_action(self, number: int, what: str, may: str) -> int:
        faults = len(self._errors)
        target = self._targets.get(what) or self._cell(number, "what", cells.parse_what, what)
        if may in self._verbs:
            verbs = self._verbs[may]
        else:
            verbs = self._cell(number, "may", cells.parse_may, may)
        if faults != len(self._errors) or target is None:
            return -1
        self._targets[what], self._verbs[may] = target, verbs
        action = len(self._rules.actions)
        self._rules.actions.append(Action(what, may, target, verbs))
        self._actions[what, may] = action
        return action

    def _define(self, number: int, who: str) -> None:
        plain = cells.PLAIN_SUBJECT.fullmatch(who)
        if plain and not who.startswith("role:"):
            return
        for subject in (who,) if plain else self._cell(number, "who", cells.parse_who, who) or ():
            if subject.startswith("role:"):
                self._hierarchy.define(subject)

    def _inherit(self, number: int, who: str, role: str) -> None:
        holders = self._cell(number, "who", cells.parse_who, who) or ()
        given = self._cell(number, "role", cells.parse_role, role) or ()
        for one in given:
            for holder in holders:
                self._hierarchy.grant(holder, one, self._path, number)

    def _period(self, number: int, row: list[str]) -> Period | None:
        since, until = row[4], row[5] if len(row) == 6 else ""
        faults = len(self._errors)
        self._cell(number, "from", cells.parse_time, since)
        self._cell(number, "until", cells.parse_time, until)
        if faults != len(self._errors) or not (since or until):
            return None
        times = self._cell(number, "until", lambda cell: cells.parse_period(since, cell), until)
        return Period(*times, since, until) if times else None

    def _check_path_rule(
        self, number: int, where: globs.Pattern, which: globs.Pattern, row: list[str]
    ) -> None:
        if where is not globs.EVERYTHING:
            self._fault(number, f"where must be * for a path, not {row[2]!r}")
        if which is not globs.EVERYTHING:
            self._fault(number, f"which must be * for a path, not {row[4]!r}")
        if len(row) == 8 and re.search(r"\b(?:field|label):", row[7]):
            self._fault(number, "when can only hold extra: for a path, which has no selectors")

    def _cell(self, number: int, column: str, parse: Callable[[str], T], cell: str) -> T | None:
        try:
            return parse(cell)
        except CellError as error:
            self._fault(number, f"{column} {error}")
            return None

    def _fault(self, number: int, message: str) -> None:
        if len(self._errors) <= MAX_ERRORS:
            self._errors.append(PolicyError(self._path, number, message))
