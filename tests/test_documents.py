"""What the documents promise: links lead somewhere, and the commands they show exist."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from authsvc.cli import group
from authsvc.client import cli as client

ROOT = Path(__file__).parents[1]
FOLDERS = ("authsvc", "config", "deploy", "policy", "tests")
DOCUMENTS = sorted(
    path
    for found in (ROOT.glob("*.md"), *((ROOT / folder).rglob("*.md") for folder in FOLDERS))
    for path in found
    if "node_modules" not in path.parts
)

_FENCE = re.compile(r"^ *```(.*?)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)#?([^)\s]*)\)")
# A program and its arguments, up to whatever ends a command in a shell, or a remark.
_COMMAND = re.compile(r"(?<![\w.-])((?:kubectl[ -])?authsvc)((?: [^\s|;&<>#()`│]+)+)")

for_each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a document."""
    text = _FENCE.sub("", document.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings
    }


def code(document: Path) -> Iterator[str]:
    """Yield the lines of code; of a session, what is typed and not what is answered."""
    text = document.read_text(encoding="utf-8")
    for language, fence in _FENCE.findall(text):
        if language not in {"", "console", "sh"}:
            continue
        lines = fence.replace("\\\n", " ").splitlines()
        typed = [line[2:] for line in lines if line.startswith("$ ")]
        yield from typed or lines
    yield from re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))


def commands(document: Path) -> list[tuple[str, list[str]]]:
    """Return the calls of our programs: which one, and its arguments."""
    return [
        (program, [word.strip("'\",.:") for word in arguments.split()])
        for line in code(document)
        for program, arguments in _COMMAND.findall(line)
        if re.match(r" [a-z]", arguments)
    ]


def server_options(words: list[str]) -> set[str]:
    """Return the options of an ``authsvc`` command; KeyError for a command that is none."""
    command: click.Command = group
    for word in words:
        if not isinstance(command, click.Group) or word in {"--help", "…"}:
            break
        found = command.get_command(click.Context(command), word)
        if found is None:
            raise KeyError(word)
        command = found
    known = {"-h", "--help"}
    return known.union(*([*option.opts, *option.secondary_opts] for option in command.params))


def plugin_options(words: list[str]) -> set[str]:
    """Return the options of a ``kubectl authsvc`` command; KeyError for a command that is none."""
    subparsers = next(
        action
        for action in client._parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return set(subparsers.choices[words[0]]._option_string_actions)


@for_each_document
def test_what_a_document_links_to_is_there(document: Path) -> None:
    dead = []
    for path, anchor in _LINK.findall(_FENCE.sub("", document.read_text(encoding="utf-8"))):
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(f"{path}#{anchor}")
    assert dead == []


@for_each_document
def test_the_commands_that_a_document_shows_exist(document: Path) -> None:
    unknown = []
    for program, words in commands(document):
        try:
            known = (server_options if program == "authsvc" else plugin_options)(words)
        except KeyError:
            unknown.append((program, *words))
            continue
        given = {word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)}
        unknown += [(program, *words, option) for option in given - known]
    assert unknown == []


def test_the_targets_that_documents_name_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    lines = [line for document in DOCUMENTS for line in code(document)]
    named = {target for line in lines for target in re.findall(r"^make ([a-z-]+)", line)}
    assert {"demo", "test", "check"} <= named <= targets
