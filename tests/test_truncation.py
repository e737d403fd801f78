"""A file that lost its last line end was cut; one that never had it was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from authsvc.errors import InvalidPolicyError
from authsvc.truncation import refuse_truncated


def test_a_file_that_loses_the_end_of_its_last_line_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("a,b,c\nd,e,f\n")
    load = refuse_truncated(file.read_text, file)
    load()
    file.write_text("a,b,c\nd,e")

    with pytest.raises(InvalidPolicyError, match=r"table\.csv: the last line does not"):
        load()

    file.write_text("a,b,c\n")
    assert load() == "a,b,c\n"


def test_a_file_that_never_ended_its_last_line_is_taken_as_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("a,b,c")
    load = refuse_truncated(file.read_text, file)

    assert load() == "a,b,c"
    file.write_text("d,e,f")
    assert load() == "d,e,f"


def test_each_file_of_a_folder_is_looked_at_but_not_what_is_none_of_it(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv", ".hidden.csv", "notes.txt"):
        (tmp_path / name).write_text("row\n")
    load = refuse_truncated(lambda: None, tmp_path)
    load()
    for name in ("a.csv", "b.csv", ".hidden.csv", "notes.txt"):
        (tmp_path / name).write_text("row")

    with pytest.raises(InvalidPolicyError) as refused:
        load()
    assert [Path(error.file).name for error in refused.value.errors] == ["a.csv", "b.csv"]


def test_a_refused_load_does_not_change_what_is_known_of_the_files(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("1\n")
    load = refuse_truncated(lambda: int(file.read_text()), file)
    load()
    file.write_text("x")
    with pytest.raises(ValueError, match="invalid literal"):
        load()
    file.write_text("2")
    with pytest.raises(InvalidPolicyError):
        load()
