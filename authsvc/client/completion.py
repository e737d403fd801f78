"""Shell completion, in the words of kubectl's protocol for plugins (kubectl >= 1.26).

kubectl runs ``kubectl_complete-authsvc`` with what is typed after ``kubectl
authsvc``, the last word unfinished. It reads completions, one a line, each
with a description after a tab, and a last line ``:DIRECTIVE``
(cobra's ShellCompDirective). Nothing here logs in or asks the cluster.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence

from authsvc.client.errors import ClientError
from authsvc.client.kubectl import Kubectl, configuration
from authsvc.client.settings import FLOWS

_FILES, _NO_FILES = 0, 4  # ShellCompDirectiveDefault, ShellCompDirectiveNoFileComp

_HIDDEN = ("get-token",)  # kubectl runs it, people do not
_FILE_FLAGS = ("kubeconfig", "certificate_authority", "client_secret_file", "token_file")
_VALUES: Mapping[str, Sequence[str]] = {
    "flow": FLOWS,
    "keyring": ("auto", "never"),
    "token_type": ("id_token", "access_token"),
    "verb": ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"),
}

Completions = tuple[Iterable[tuple[str, str]], int]


def run(
    parser: argparse.ArgumentParser, words: Sequence[str], environment: Mapping[str, str]
) -> int:
    """Print the completions of the last word; return the exit status."""
    *before, last = words or [""]
    found, directive = _complete(_commands(parser), before, last, environment)
    prefix = last.partition("=")[2] if last.startswith("--") and "=" in last else last
    for completion, description in found:
        if completion.startswith(prefix):
            print(f"{completion}\t{description}" if description else completion)
    print(f":{directive}")
    return 0


def _complete(
    commands: Mapping[str, argparse.ArgumentParser],
    before: Sequence[str],
    last: str,
    environment: Mapping[str, str],
) -> Completions:
    if not before:
        names = [(name, command.description or "") for name, command in commands.items()]
        return names, _NO_FILES
    command = commands.get(before[0])
    if command is None:
        return [], _NO_FILES
    actions = command._actions  # noqa: SLF001  # argparse has no public name for it
    flags = {flag: action for action in actions for flag in action.option_strings}
    values, positionals, awaited = _read(before[1:], flags)
    name, equals, _ = last.partition("=")
    if awaited is None and equals and name in flags:
        awaited = flags[name]
    if awaited is None and last.startswith("-"):
        long = [(flag, action) for flag, action in flags.items() if flag.startswith("--")]
        return [(flag, (action.help or "").replace("%%", "%")) for flag, action in long], _NO_FILES
    if awaited is None:
        places = [action for action in actions if not action.option_strings]
        if positionals >= len(places):
            return [], _NO_FILES
        awaited = places[positionals]
    if awaited.dest in _FILE_FLAGS:
        return [], _FILES
    known = (
        awaited.choices or _VALUES.get(awaited.dest) or _names(awaited.dest, values, environment)
    )
    return [(str(value), "") for value in known], _NO_FILES


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (subparsers,) = (
        action
        for action in parser._actions  # noqa: SLF001  # argparse has no public name for them
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
    )
    return {name: command for name, command in subparsers.choices.items() if name not in _HIDDEN}


def _read(
    words: Sequence[str], flags: Mapping[str, argparse.Action]
) -> tuple[dict[str, str], int, argparse.Action | None]:
    """Return the flags' values, how many words are none of a flag, and which flag awaits one."""
    values: dict[str, str] = {}
    positionals = 0
    awaited: argparse.Action | None = None
    for word in words:
        name, equals, value = word.partition("=")
        if awaited is not None:
            values[awaited.dest] = word
            awaited = None
        elif name in flags and equals:
            values[flags[name].dest] = value
        elif name in flags and flags[name].nargs != 0:
            awaited = flags[name]
        elif not word.startswith("-"):
            positionals += 1
    return values, positionals, awaited


def _names(dest: str, values: Mapping[str, str], environment: Mapping[str, str]) -> Iterable[str]:
    if dest not in ("context", "cluster"):
        return ()
    file = values.get("kubeconfig")
    kubectl = Kubectl(environment, [f"--kubeconfig={file}"] if file else [])
    try:
        return configuration(kubectl).entries(f"{dest}s")
    except ClientError:
        return ()
