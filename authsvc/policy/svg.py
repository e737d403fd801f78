"""The matrix as a picture: an SVG that stands alone, and a page with it.

Nothing in it comes from elsewhere: no script, no font, no style sheet. Names
out of the policy are escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import Final

from authsvc.policy.matrix import PATHS, Hold, Item, Mark, Matrix, show_column
from authsvc.policy.resources import VERBS

_ROW: Final = 22
_CELL: Final = 13
_COLUMN: Final = _CELL * (len(VERBS) + 1) + 22
_NAMES: Final = 292
_HEAD: Final = 74
_GROUP: Final = 34
_LEGEND: Final = 84
_MARGIN: Final = 28
_HEADING: Final = 16
"""Characters of a column's heading; of a longer one, the end tells it from others."""

_KINDS: Final = {
    **dict.fromkeys(("get", "list", "watch", "head", "options"), "read"),
    **dict.fromkeys(("create", "update", "patch", "post", "put"), "write"),
    **dict.fromkeys(("delete", "deletecollection"), "delete"),
}

_STYLE: Final = """
svg{--paper:#ffffff;--ink:#1b2430;--soft:#667284;--line:#e6eaef;--band:#f6f8fa;--none:#e9edf1;
--read:#2a9d78;--write:#e3a008;--delete:#d64550;--other:#6c5ce7;--denied:#1b2430;
font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
@media(prefers-color-scheme:dark){svg{--paper:#12171e;--ink:#e8edf3;--soft:#93a0b1;--line:#262f3a;
--band:#181f28;--none:#232c37;--read:#37c196;--write:#f2b935;--delete:#f0636d;--other:#9b8cff;
--denied:#e8edf3}}
text{fill:var(--ink)}.soft{fill:var(--soft)}.group{font-weight:600;font-size:12px}
.name{font-size:12.5px}.role{font-weight:600;font-size:13px}.title{font-weight:700;font-size:20px}
.verb{font-size:9px;fill:var(--soft)}.legend{font-size:11.5px;fill:var(--soft)}
.paper{fill:var(--paper)}.band{fill:var(--band)}.rule{stroke:var(--line)}
.read{fill:var(--read)}.write{fill:var(--write)}.delete{fill:var(--delete)}
.other{fill:var(--other)}.none{fill:var(--none)}.denied{fill:var(--denied)}
.some{opacity:.42}.cross{stroke:var(--paper);stroke-width:1.6;stroke-linecap:round}
"""


def draw(matrix: Matrix, title: str) -> str:
    """Draw the matrix."""
    groups = [(name, list(items)) for name, items in groupby(matrix.items, lambda item: item.group)]
    width = max(_NAMES + _COLUMN * len(matrix.columns), 720) + 2 * _MARGIN
    height = _MARGIN * 2 + 30 + _HEAD + _ROW * len(matrix.items) + _GROUP * len(groups) + _LEGEND
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        ),
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>',
        f'<text class="title" x="{_MARGIN}" y="{_MARGIN + 18}">{escape(title)}</text>',
        *_heads(matrix, _MARGIN + 30 + _HEAD),
    ]
    top = _MARGIN + 30 + _HEAD
    for name, items in groups:
        parts += _group_head(name, top, width)
        top += _GROUP
        for number, item in enumerate(items):
            if number % 2 == 0:
                inner = width - 2 * _MARGIN
                parts.append(
                    f'<rect class="band" x="{_MARGIN}" y="{top}" width="{inner}"'
                    f' height="{_ROW}" rx="4"/>'
                )
            parts += _line(item, matrix.columns, top)
            top += _ROW
    parts += [*_legend(top + 30), "</svg>"]
    return "\n".join(parts) + "\n"


def page(matrix: Matrix, title: str) -> str:
    """Return an HTML page with the picture."""
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n"
        "<style>body{margin:0;display:flex;justify-content:center;background:#fff}"
        "svg{max-width:none}"
        "@media(prefers-color-scheme:dark){body{background:#12171e}}</style>\n"
        f"{draw(matrix, title)}</html>\n"
    )


def _left(column: int) -> int:
    return _MARGIN + _NAMES + column * _COLUMN


def _heads(matrix: Matrix, bottom: int) -> Iterator[str]:
    for number, column in enumerate(matrix.columns):
        left = _left(number)
        shown = show_column(column)
        short = shown if len(shown) <= _HEADING else f"…{shown[1 - _HEADING :]}"
        yield (
            f'<text class="role" x="{left}" y="{bottom - 46}">{escape(short)}'
            f"<title>{escape(column)}</title></text>"
        )
        for at, verb in enumerate((*VERBS, "other verbs")):
            x, y = left + at * _CELL + 9, bottom - 4
            short = {"deletecollection": "del. all", "other verbs": "other"}.get(verb, verb)
            yield f'<text class="verb" transform="translate({x} {y}) rotate(-65)">{short}</text>'


def _group_head(name: str, top: int, width: int) -> Iterator[str]:
    y = top + _GROUP - 9
    shown = name or "core"
    yield f'<text class="group soft" x="{_MARGIN}" y="{y}">{escape(shown)}</text>'
    yield (f'<line class="rule" x1="{_MARGIN}" x2="{width - _MARGIN}" y1="{y + 6}" y2="{y + 6}"/>')


def _line(item: Item, columns: tuple[str, ...], top: int) -> Iterator[str]:
    limit = 41
    shown = item.name if len(item.name) <= limit else f"{item.name[: limit - 1]}…"
    yield (
        f'<text class="name" x="{_MARGIN + 8}" y="{top + 15}">{escape(shown)}'
        f"<title>{escape(item.name)}</title></text>"
    )
    for number, marks in enumerate(item.cells):
        others = [mark for mark in marks if mark.verb not in VERBS and item.group != PATHS]
        for mark in marks:
            if mark not in others:
                at = VERBS.index(mark.verb) if mark.verb in VERBS else len(VERBS)
                title = _title(columns[number], item, (mark,))
                yield _square(mark, title, _left(number) + at * _CELL, top + 5)
        if others:
            strongest = max(others, key=lambda mark: _STRENGTH[mark.hold])
            title = _title(columns[number], item, others)
            yield _square(strongest, title, _left(number) + len(VERBS) * _CELL, top + 5)


_STRENGTH: Final = {
    hold: strength
    for strength, hold in enumerate((Hold.NONE, Hold.PART_DENIED, Hold.DENIED, Hold.SOME, Hold.ALL))
}


def _square(mark: Mark, title: str, x: int, y: int) -> str:
    kind = _KINDS.get(mark.verb, "other")
    style = {
        Hold.NONE: "none",
        Hold.SOME: f"{kind} some",
        Hold.ALL: kind,
        Hold.PART_DENIED: "denied some",
        Hold.DENIED: "denied",
    }[mark.hold]
    size = _CELL - 2
    square = f'<rect class="{style}" x="{x}" y="{y}" width="{size}" height="{size}" rx="2.5"/>'
    if mark.hold in {Hold.DENIED, Hold.PART_DENIED}:
        a, b = 3, size - 3
        square += (
            f'<path class="cross" d="M{x + a} {y + a}L{x + b} {y + b}M{x + b} {y + a}'
            f'L{x + a} {y + b}"/>'
        )
    return f"<g>{square}<title>{escape(title)}</title></g>"


def _title(column: str, item: Item, marks: tuple[Mark, ...] | list[Mark]) -> str:
    told = []
    for mark in marks:
        place = f" ({mark.place})" if mark.place else ""
        told.append(f"{mark.verb} {item.name}: {mark.hold.value}{place}")
    return f"{column}\n" + "\n".join(told)


def _legend(top: int) -> Iterator[str]:
    entries = (
        (Mark("get", Hold.ALL), "read"),
        (Mark("create", Hold.ALL), "write"),
        (Mark("delete", Hold.ALL), "delete"),
        (Mark("impersonate", Hold.ALL), "other verbs"),
        (Mark("get", Hold.SOME), "only some places, names or conditions"),
        (Mark("get", Hold.NONE), "not"),
        (Mark("get", Hold.DENIED), "denied"),
    )
    x = _MARGIN
    for mark, text in entries:
        yield _square(mark, text, x, top)
        yield f'<text class="legend" x="{x + _CELL + 5}" y="{top + 10}">{text}</text>'
        x += _CELL + 26 + round(len(text) * 6.4)
