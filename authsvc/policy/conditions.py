"""The last cell of a rule, ``when``: conditions on selectors and on the user's extra values.

::

    when       = alternative *( "|" alternative )            one of them holds
    alternative = condition *( ";" condition )                all of them hold
    condition  = ( "field:" / "label:" / "extra:" ) term
    term       = KEY                     there is one, whatever its value
               / "!" KEY                 there is none
               / KEY ( "=" / "==" / "!=" ) VALUE
               / KEY ( "in" / "notin" ) "(" VALUE *( "," VALUE ) ")"

A backslash makes the next punctuation character or space literal. The terms
are those of Kubernetes' own label selectors; ``field`` has no bare KEY, as
field selectors have none.

Selectors bound what a request can reach, so a rule asks about every object
that the request might select (KEP-4601). An *allow* holds where each of them
meets the condition: a broader request is not allowed. A *deny* holds unless
none of them can meet it: a broader request does not walk round it. Both are
``implied``, once of the condition and once of its opposite.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

from authsvc.interfaces import Attributes, Requirement
from authsvc.policy import escapes
from authsvc.policy.escapes import CellError

_TEXT: Final = r"(?:\\[^\w]|[^\\|;,()=!*?\[\s])+"
_SPACE: Final = r"[ \t]*"
_CONDITION: Final = re.compile(
    rf"{_SPACE}(?P<source>field|label|extra):{_SPACE}(?:"
    rf"(?P<absent>!){_SPACE}(?P<gone>{_TEXT})"
    rf"|(?P<key>{_TEXT})(?:{_SPACE}(?P<equals>==|=|!=){_SPACE}(?P<value>{_TEXT})"
    rf"|[ \t]+(?P<set>in|notin){_SPACE}\((?P<values>[^()]*(?:\\[()][^()]*)*)\))?"
    rf"){_SPACE}"
)
_VALUE: Final = re.compile(rf"{_SPACE}({_TEXT}){_SPACE}")


class Condition(NamedTuple):
    """One condition; ``values`` None asks whether there is any value. ``negated``: the opposite."""

    source: str
    key: str
    values: frozenset[str] | None
    negated: bool


When: TypeAlias = tuple[tuple[Condition, ...], ...]
"""Alternatives of conditions that hold together."""


def parse_when(cell: str) -> When:
    """Read the cell ``when``.

    Raises:
        CellError: what is wrong with it.
    """
    return tuple(
        tuple(_parse_condition(condition) for condition in escapes.split(alternative, ";"))
        for alternative in escapes.split(cell, "|")
    )


def _parse_condition(text: str) -> Condition:
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise CellError(
            f"has a condition that cannot be read: {text.strip()[:80]!r}; "
            "write field:KEY=VALUE, 'label:KEY in (A,B)', extra:KEY=VALUE"
        )
    source = found["source"]
    values = _parse_values(found)
    if values is None and source == "field":
        raise CellError(f"asks whether a field is there ({text.strip()!r}): field selectors cannot")
    key = _plain(found["gone"] or found["key"])
    negated = bool(found["absent"]) or found["equals"] == "!=" or found["set"] == "notin"
    return Condition(source, key, values, negated)


def _parse_values(found: re.Match[str]) -> frozenset[str] | None:
    if found["equals"]:
        return frozenset({_plain(found["value"])})
    if not found["set"]:
        return None
    values = [_VALUE.fullmatch(value) for value in escapes.split(found["values"], ",")]
    if None in values:
        raise CellError(f"has a list that cannot be read: ({found['values'][:80]})")
    return frozenset(_plain(value[1]) for value in values if value)


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def holds(when: When, attributes: Attributes, *, deny: bool) -> bool:
    """Whether a rule with these conditions applies to the request; see the module's text."""
    return any(
        all(
            not implied(condition._replace(negated=not condition.negated), attributes)
            if deny
            else implied(condition, attributes)
            for condition in conditions
        )
        for conditions in when
    )


def implied(condition: Condition, attributes: Attributes) -> bool:
    """Whether the condition is true of everything that the request can reach."""
    source, key, values, negated = condition
    if source == "extra":
        # The user is known, so there is nothing to imply.
        present = attributes.user.extra.get(key, ())
        found = bool(present) if values is None else not values.isdisjoint(present)
        return found is not negated
    selector = attributes.field_selector if source == "field" else attributes.label_selector
    known = _known(key, selector)
    if values is None:
        return known.absent if negated else known.present or bool(known.among)
    if negated:
        outside = bool(known.among) and values.isdisjoint(known.among)
        return outside or values <= known.not_among or known.absent
    return bool(known.among) and known.among <= values


class _Known(NamedTuple):
    """What a selector's requirements on one key, all of them together, say about its value."""

    among: frozenset[str] = frozenset()
    """One of these; nothing is said where it is empty."""
    not_among: frozenset[str] = frozenset()
    present: bool = False
    absent: bool = False


_NOTHING: Final = _Known()


class _Digest:
    """What a selector says, by key. Each key is worked out once, however many conditions ask."""

    def __init__(self, selector: tuple[Requirement, ...]) -> None:
        self.selector = selector
        self._known: dict[str, _Known] = {}
        self._requirements: dict[str, list[Requirement]] = {}
        for requirement in selector:
            self._requirements.setdefault(requirement.key, []).append(requirement)

    def known(self, key: str) -> _Known:
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _all_of(self._requirements.get(key, ()))
        return known


# Of the request that was asked last: of its fields and its labels. It is its sender
# who says how long a selector is, and its policy how many conditions ask of it.
_recent: tuple[_Digest, ...] = ()


def _known(key: str, selector: tuple[Requirement, ...]) -> _Known:
    global _recent  # noqa: PLW0603  one reference, taken and replaced as a whole
    if not selector:
        return _NOTHING
    for digest in _recent:
        if digest.selector is selector:
            return digest.known(key)
    digest = _Digest(selector)
    _recent = (digest, *_recent[:1])
    return digest.known(key)


def _all_of(requirements: Iterable[Requirement]) -> _Known:
    among: frozenset[str] | None = None
    not_among: set[str] = set()
    present = absent = False
    for requirement in requirements:
        if requirement.operator == "In":
            values = frozenset(requirement.values)
            among = values if among is None else among & values
        elif requirement.operator == "NotIn":
            not_among.update(requirement.values)
        elif requirement.operator == "Exists":
            present = True
        elif requirement.operator == "DoesNotExist":
            absent = True
    # A selector that contradicts itself says nothing: it must not open a door.
    return _Known((among or frozenset()) - not_among, frozenset(not_among), present, absent)
