"""``authsvc token explain``: why a token is somebody's, or nobody's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authsvc.cli.options import config_option, token_on_stdin

if TYPE_CHECKING:
    from authsvc.authn.checks import Explanation
    from authsvc.interfaces import Identity

_MARKS = {True: "ok", False: "NO", None: "??"}


@click.command(epilog="Example: authsvc token explain --config /etc/authsvc/authsvc.yaml < token")
@config_option
@click.option(
    "--audience", "audiences", multiple=True, metavar="NAME", help="Asked for as the API server's."
)
def explain(file: Path, audiences: tuple[str, ...]) -> None:
    """Walk the token on stdin through the chain of authenticators, and tell each check.

    It asks whom a review would ask, and answers as a review would. Claims are printed, the
    token never is. Exit status 0 where it is somebody's, 1 where it is nobody's,
    2 where that could not be found out.
    """
    from authsvc import log
    from authsvc.authn import checks
    from authsvc.config import load
    from authsvc.service import build

    log.configure("critical", "console")  # what goes wrong is told by the steps
    token = token_on_stdin().strip()
    if not token:
        raise click.UsageError("expected a token on stdin")
    service = build(load(file))
    service.start()
    try:
        _tell_claims(token)
        status = _tell(checks.explain(service.chain, token, audiences))
    finally:
        service.close()
    raise SystemExit(status)


def _tell(told: Explanation) -> int:
    """Tell an explanation and return the exit status."""
    from authsvc.authn.checks import ROUTE

    teller = ""
    for check in told.checks:
        first, teller = check.authenticator != teller, check.authenticator
        if first and check.name == ROUTE:
            _say(f"{teller}: {'takes' if check.passed else 'leaves'} it, for {check.detail}")
            continue
        if first:
            _say(f"{teller}:")
        _say(f"  {_MARKS[check.passed]}  {check.name}: {check.detail}")
    if told.identity is not None:
        _tell_user(told.authenticator, told.identity)
        return 0
    if told.failed:
        _say("unknown: no authenticator knows the token, and one could not answer")
        return 2
    asked = any(check.authenticator for check in told.checks)
    _say(f"refused: no authenticator {'knows the token' if asked else 'is asked'}")
    return 1


def _say(line: str) -> None:
    """Print a line; nothing that a token or a provider says in it moves the terminal."""
    click.echo("".join(each if each.isprintable() else "�" for each in line))


def _tell_claims(token: str) -> None:
    """Print what a JWT says of itself; its signature, which makes it a credential, is left out."""
    from authsvc.authn.routing import read_unverified, shape_of

    jwt = read_unverified(token)
    if jwt is None:
        _say(f"the token is {shape_of(token).value}")
        return
    _say("the token is a JWT, and says of itself (unverified):")
    for part in (jwt.header, jwt.claims):
        text = json.dumps(part, indent=2, ensure_ascii=False, sort_keys=True)
        for line in text.split("\n"):
            _say(f"  {line}")


def _tell_user(name: str, identity: Identity) -> None:
    user = identity.user
    _say(f"authenticated by {name}:")
    _say(f"  username:  {user.username}")
    _say(f"  uid:       {user.uid or '-'}")
    _say(f"  groups:    {', '.join(user.groups) or '-'}")
    for key, values in user.extra.items():
        _say(f"  extra:     {key}={', '.join(values)}")
    _say(f"  audiences: {', '.join(identity.audiences) or '-'}")
