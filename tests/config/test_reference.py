"""config/README.md names every field, with its type and default; config/'s examples load."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from authsvc.app import create_app
from authsvc.bootstrap import initialise
from tests.config.reference import Field, heading, sections
from tests.parts.logs import restored_logging

CONFIG = Path(__file__).parents[2] / "config"
README = (CONFIG / "README.md").read_text(encoding="utf-8")
SECTIONS = {heading(where): fields for where, fields in sections().items()}


def rows(section: str) -> list[list[str]]:
    """Return the cells of the table below a heading."""
    _, _, text = README.partition(f"\n### {section}\n")
    table = text.partition("\n#")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_sections_table_has_its_fields_with_type_and_default(section: str) -> None:
    described = [Field(cells[0].strip("`"), cells[1], cells[2]) for cells in rows(section)]
    assert described == SECTIONS[section]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_field_has_a_meaning(section: str) -> None:
    for _, _, _, meaning in rows(section):
        assert meaning


def test_no_section_is_of_the_past() -> None:
    assert sorted(re.findall(r"^### (.*)$", README, re.MULTILINE)) == sorted(SECTIONS)


@pytest.mark.parametrize("example", sorted(path.name for path in CONFIG.glob("*.yaml")))
def test_an_example_is_good_in_a_folder_that_init_made(tmp_path: Path, example: str) -> None:
    initialise(tmp_path)
    file = tmp_path / example
    file.write_bytes((CONFIG / example).read_bytes())
    with restored_logging():
        application = create_app(file)
    assert all(check.ready for check in application.runtime.checks())
