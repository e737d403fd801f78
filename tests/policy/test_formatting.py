"""Formatting: nothing changes but the spaces between cells."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authsvc.errors import InvalidPolicyError
from authsvc.policy import read_text
from authsvc.policy.formatting import format_text
from authsvc.policy.starter import starter_policy
from tests.policy.strategies import policies


def formatted(text: str, *, sort: bool = False) -> str:
    return format_text(text.encode(), "p.csv", sort=sort)


def cells(text: str) -> list[tuple[object, ...]]:
    rows = read_text({"p.csv": text})
    return [tuple(rule) for rule in rows.rules] + [tuple(grant) for grant in rows.grants]


def test_rows_of_a_block_stand_in_columns_below_a_comment_that_names_them() -> None:
    text = (
        "#Who has what\n# who,where,  what, which, may, effect\n"
        'p,user:a,*,   pods, * ,get,allow\np,"group:long",ns|other,"secrets",*,get|list,allow\n'
        "g, user:a, role:r,*\n\np, role:r, *, pods, *, get, allow\n"
    )

    assert formatted(text) == (
        "#Who has what\n"
        "# who,         where,    what,    which, may,      effect\n"
        "p, user:a,     *,        pods,    *,     get,      allow\n"
        "p, group:long, ns|other, secrets, *,     get|list, allow\n"
        "g, user:a, role:r, *\n"
        "\n"
        "p, role:r, *, pods, *, get, allow\n"
    )


def test_a_very_wide_cell_pushes_its_own_row_alone() -> None:
    wide = "|".join(["deployments.apps"] * 6)
    text = f"p, user:a, *, {wide}, *, get, allow\np, user:a, *, pods, *, get, allow\n"

    assert formatted(text).splitlines()[1] == "p, user:a, *, pods, *, get, allow"


def test_cells_that_need_quotes_keep_them() -> None:
    row = 'p, "user:CN=judy,OU=""P""", *, pods, "#1", get, allow, "label:a in (b,c)"\n'

    assert formatted(row) == row


def test_windows_files_become_plain_ones() -> None:
    text = "\ufeff# x \r\np,user:a,*,pods,*,get,allow\r\n"

    assert formatted(text) == "# x\np, user:a, *, pods, *, get, allow\n"


def test_sorted_rows_stay_between_their_comments_and_blank_lines() -> None:
    text = "g, user:b, role:r, *\n# c\ng, user:z, role:r, *\np, role:r, *, x, *, get, allow\n"
    text += "p, role:r, *, a, *, get, allow\n\n# d\ng, user:a, role:r, *\n"

    assert [line[:9] for line in formatted(text, sort=True).splitlines()] == [
        *("g, user:b", "# c", "p, role:r", "p, role:r", "g, user:z", "", "# d", "g, user:a")
    ]
    assert sorted(cell[2:] for cell in cells(text)) == sorted(
        cell[2:] for cell in cells(formatted(text, sort=True))
    )


def test_every_line_that_is_no_row_is_an_error() -> None:
    with pytest.raises(InvalidPolicyError) as raised:
        formatted('p, "user:a, *\np, user:b # why\n# fine\np, "x')

    assert [error.line for error in raised.value.errors] == [1, 2, 4]


_COMMENTS = st.sampled_from(("", "# who, where, what", "# who, role, where", "  # x, y", "#"))


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A policy with comments, blank lines and uneven spaces."""
    lines = []
    for row in draw(policies()).splitlines():
        lines += draw(st.lists(_COMMENTS, max_size=1))
        space = draw(st.sampled_from(("", " ", "  ", "\t")))
        lines.append(row if '"' in row else row.replace(", ", f"{space},{space}"))
    return "\n".join(lines) + "\n"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts())
def test_rows_comments_and_lines_stay_what_and_where_they_were(text: str) -> None:
    once = formatted(text)

    assert cells(once) == cells(text)
    assert formatted(once) == once
    comments = [
        [
            (at, "".join(line.split()))
            for at, line in enumerate(each.splitlines())
            if "#" in line[:3]
        ]
        for each in (text, once)
    ]
    assert comments[0] == comments[1]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts())
def test_sorting_loses_no_row_and_is_done_once(text: str) -> None:
    once = formatted(text, sort=True)

    assert formatted(once, sort=True) == once
    assert sorted(row[2:] for row in cells(once)) == sorted(row[2:] for row in cells(text))


@pytest.mark.parametrize("name", sorted(starter_policy()))
def test_the_shipped_files_keep_their_rows(name: str) -> None:
    text = starter_policy()[name]

    assert cells(formatted(text)) == cells(text)
