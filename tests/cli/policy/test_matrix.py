"""`authsvc policy matrix`: a table for the terminal, a picture for people."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.cli.policy.conftest import Authsvc
from tests.parts.chromium import Browser


def test_the_table_has_a_column_for_each_role_and_a_letter_for_each_verb(
    authsvc: Authsvc, policy: Path
) -> None:
    answer = authsvc("matrix", "--policy", policy)

    assert answer == (
        0,
        (
            "              view       edit\n"
            "core\n"
            "  pods        glw·····   glw·····\n"
            "  pods/log    g          g\n"
            "  services    glw·····   glw·····\n"
            "apps\n"
            "  deployments glw·····   glwcupd·\n"
        ),
        "",
    )


def test_subjects_are_columns_as_well_and_what_holds_somewhere_has_a_tilde(
    authsvc: Authsvc, policy: Path
) -> None:
    answer = authsvc("matrix", "--policy", policy, "group:interns", "group:team-a")

    assert "  secrets     !!!!!!!! ~ ········\n" in answer.out
    assert "  pods/log    ·          g        ~\n" in answer.out


def test_many_columns_are_shown_in_bands_that_fit(authsvc: Authsvc, tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    rows = (f"p, role:a-long-role-name-{n}, *, pods, *, get, allow\n" for n in range(9))
    file.write_text("".join(rows))

    answer = authsvc("matrix", "--policy", file)

    assert answer.out.count("  pods") == 2
    assert max(map(len, answer.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("role:gone", "no row is for role:gone"),
        ("role:veiw", "no row is for role:veiw; did you mean role:view?"),
        ("view", "'view' is not user:NAME"),
        ("view", "did you mean role:view?"),
        ("rol:view", "did you mean role:?"),
    ],
)
def test_a_column_that_is_not_there_is_wrong_usage(
    authsvc: Authsvc, policy: Path, column: str, said: str
) -> None:
    answer = authsvc("matrix", "--policy", policy, column)

    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


def test_the_page_is_shown_by_a_browser(authsvc: Authsvc, policy: Path, browser: Browser) -> None:
    page = authsvc("matrix", "--policy", policy, "-o", "html").out

    browser.open(f"data:text/html;charset=utf-8,{quote(page)}")

    assert browser.title == "Roles and what they may"
    assert "deployments" in browser.wait_for_text("only some places")
