"""The command line: what can be said, and how failures are shown.

Each command is a function of ``commands``; nothing is decided here.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

from authsvc import __version__
from authsvc.client import commands, completion
from authsvc.client.errors import ClientError
from authsvc.client.request import SETTINGS
from authsvc.client.settings import FLOWS, HELP

if TYPE_CHECKING:
    # argparse gives it no public name, and it is generic to type checkers only.
    _Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

PROGRAM = "kubectl authsvc"

_EXAMPLES = {
    "setup": " --issuer=https://authsvc.example.org:8443 --context=work",
    "login": " --username=alice",
    "logout": " --context=work",
    "status": " --context=work",
    "whoami": "",
    "can-i": " delete pods/web-0 -n team-a --explain",
}


def run(arguments: Sequence[str]) -> int:
    """Run one command; return the exit status. Every failure is one line on stderr."""
    signal.signal(signal.SIGTERM, _end)  # so that a silenced terminal is given its echo back
    try:
        if arguments[:1] == ["get-token"] and not {"-h", "--help"} & set(arguments):
            return commands.get_token(arguments[1:], os.environ)
        parsed = _parser().parse_args(arguments)
        command: commands.Command = parsed.command
        return command(parsed, os.environ)
    except ClientError as error:
        print(f"kubectl-authsvc: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nkubectl-authsvc: cancelled: run the command again", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of stdout is gone, there is nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"kubectl-authsvc: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1


def complete(words: Sequence[str]) -> int:
    """Print what can follow the words that are typed; return the exit status."""
    return completion.run(_parser(), words, os.environ)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Log in to Kubernetes clusters: with a password to authsvc, "
        "or with any OpenID provider.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kubectl-authsvc {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_session_commands(subparsers)
    _add_review_commands(subparsers)
    _add_setup(subparsers)
    for name, example in _EXAMPLES.items():
        subparsers.choices[name].epilog = f"Example: {PROGRAM} {name}{example}"
    return parser


def _add(
    subparsers: _Subparsers, name: str, command: commands.Command, text: str
) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.set_defaults(command=command)
    parser.add_argument("--kubeconfig", default="", metavar="FILE", help="kubeconfig to use")
    if name != "setup":
        parser.add_argument("--context", default="", help="kubeconfig context to use")
    return parser


def _add_session_commands(subparsers: _Subparsers) -> None:
    login = _add(subparsers, "login", commands.login, "Log in to the current context's issuer.")
    login.add_argument("--flow", choices=FLOWS[:-1], help="another way than the one set up")
    login.add_argument("--username", help="user name, for --flow=password")
    _add(subparsers, "logout", commands.logout, "End the session, here and at the issuer.")
    status = _add(
        subparsers, "status", commands.status, "Show the session kept for the current context."
    )
    status.add_argument("-o", "--output", choices=("json",), help="print an object for programs")
    get_token = subparsers.add_parser(
        "get-token",
        help="Answer kubectl's request for a credential (exec plugin).",
        description="What kubectl runs: prints an ExecCredential. "
        "The cluster entry's extension client.authentication.k8s.io/exec may hold the same "
        "settings in camelCase, under provideClusterInfo, but for those that name a file.",
    )
    _add_settings(get_token)


def _add_review_commands(subparsers: _Subparsers) -> None:
    whoami = _add(subparsers, "whoami", commands.whoami, "Show who the API server says you are.")
    can_i = _add(
        subparsers, "can-i", commands.can_i, "Ask the API server whether you may, and why."
    )
    can_i.add_argument("verb", metavar="VERB", help="get, list, create, …")
    can_i.add_argument("what", metavar="TYPE[.GROUP][/NAME]|/PATH")
    can_i.add_argument("--subresource", default="", help="such as log, exec, scale")
    can_i.add_argument("--explain", action="store_true", help="show what decided")
    can_i.add_argument("-n", "--namespace", default="", help="namespace (default: the context's)")
    can_i.add_argument("-A", "--all-namespaces", action="store_true")
    can_i.add_argument("--for-user", default="", metavar="USER", help="ask about another user")
    can_i.add_argument("--for-group", default=[], action="append", metavar="GROUP")
    for parser in (whoami, can_i):
        parser.add_argument("--as", dest="as_user", default="", metavar="USER", help="impersonate")
        parser.add_argument("--as-group", default=[], action="append", metavar="GROUP")


def _add_setup(subparsers: _Subparsers) -> None:
    setup = _add(subparsers, "setup", commands.setup, "Write a user entry into the kubeconfig.")
    setup.add_argument(
        "--name", default="", help="name of the entry (default: authsvc@ and the issuer's address)"
    )
    setup.add_argument(
        "--context", default="", help="also write a context of this name and make it the current …"
    )
    setup.add_argument(
        "--cluster", default="", help="… for this cluster (default: the context's, or the current)"
    )
    setup.add_argument(
        "--overwrite",
        action="store_true",
        help="replace an entry of that name, also of another issuer or another program",
    )
    setup.add_argument(
        "--interactive-mode",
        default="IfAvailable",
        choices=("Never", "IfAvailable", "Always"),
        help="whether kubectl may have you log in as it runs (default: IfAvailable)",
    )
    _add_settings(setup)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    for name in SETTINGS:
        parser.add_argument(f"--{name}", metavar="VALUE", help=HELP[name].replace("%", "%%"))
