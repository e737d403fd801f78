"""The command line as a whole: its table, and how it ends."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from authsvc import __version__
from authsvc.cli import COMMANDS, LazyGroup, group


def authsvc(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "authsvc", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_there_and_explains_itself(name: str) -> None:
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert command.help


def commands(parent: click.Group, path: str = "authsvc") -> list[tuple[str, click.Command]]:
    """Return all commands below one, with how they are called."""
    found: list[tuple[str, click.Command]] = []
    context = click.Context(parent)
    for name in parent.list_commands(context):
        command = parent.get_command(context, name)
        assert command is not None
        found.append((f"{path} {name}", command))
        if isinstance(command, click.Group):
            found += commands(command, f"{path} {name}")
    return found


def test_every_command_down_to_the_last_has_a_line_of_help() -> None:
    for path, command in commands(group):
        assert command.get_short_help_str(), path


def test_no_line_of_help_is_cut_off_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for path, command in [("authsvc", group), *commands(group)]:
        text = command.get_help(click.Context(command, info_name=path))
        assert not re.search(r"^  \S+  .*\.\.\.$", text, re.MULTILINE), path
        assert max(map(len, text.splitlines())) <= 80, path


def test_every_command_gives_an_example() -> None:
    for path, command in commands(group):
        assert isinstance(command, click.Group) or "Example: " in (command.epilog or ""), path


def test_a_commands_example_is_of_that_command() -> None:
    for path, command in commands(group):
        if command.epilog and command.epilog.startswith("Example:"):
            assert path in command.epilog


def test_help_lists_the_commands_without_importing_them() -> None:
    code = (
        "import sys\n"
        "from authsvc.cli import group\n"
        "group.main(['--help'], standalone_mode=False)\n"
        "heavy = {'flask', 'gunicorn', 'casbin', 'msgspec', 'cryptography', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
    for name in COMMANDS:
        assert f"  {name} " in run.stdout


def test_the_version_is_said() -> None:
    assert authsvc("--version").stdout == f"authsvc, version {__version__}\n"


def test_an_unknown_command_is_an_error_of_use() -> None:
    run = authsvc("nope")
    assert run.returncode == 2
    assert "No such command 'nope'" in run.stderr


def test_an_error_of_ours_is_a_line_each_and_no_traceback(tmp_path: Path) -> None:
    run = authsvc("serve", "--config", str(tmp_path / "none.yaml"))
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr == f"error: {tmp_path / 'none.yaml'}: no such file or directory\n"


@pytest.mark.parametrize("arguments", [["--help"], ["config", "print-defaults"]])
def test_an_output_that_is_full_is_a_line_and_no_traceback(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "authsvc", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )

    assert (run.returncode, run.stderr) == (1, "error: no space left on device\n")


def test_a_folder_that_cannot_be_made_is_a_line_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    run = authsvc("demo", "--once", "--dir", str(tmp_path / "file/demo"))

    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == f"error: {tmp_path / 'file/demo'}: not a directory\n"


def test_a_name_that_is_not_in_a_groups_table_is_no_command() -> None:
    lazy = LazyGroup({"serve": COMMANDS["serve"]}, name="test")
    assert lazy.get_command(click.Context(lazy), "other") is None
    assert lazy.list_commands(click.Context(lazy)) == ["serve"]
