"""``authsvc token explain``: why a token is somebody's, or nobody's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authsvc.cli.options import config_option, token_on_stdin
from authsvc.errors import BackendError

if TYPE_CHECKING:
    from authsvc.authn.checks import Explanation
    from authsvc.interfaces import Identity, TokenAuthenticator
    from authsvc.service import Service

_MARKS = {True: "ok", False: "NO", None: "??"}


@click.command(epilog="Example: authsvc token explain --config /etc/authsvc/authsvc.yaml < token")
@config_option
@click.option(
    "--audience", "audiences", multiple=True, metavar="NAME", help="Asked for as the API server's."
)
def explain(file: Path, audiences: tuple[str, ...]) -> None:
    """Walk the token on stdin through the chain of authenticators, and tell each check.

    It asks the same providers that a review would ask. Claims are printed, the
    token never is. Exit status 0 where it is somebody's, 1 where it is nobody's,
    2 where that could not be found out.
    """
    from authsvc import log
    from authsvc.authn.guard import MAX_TOKEN_BYTES
    from authsvc.config import load
    from authsvc.service import build

    log.configure("critical", "console")  # what goes wrong is told by the steps
    token = token_on_stdin().strip()
    if not token:
        raise click.UsageError("expected a token on stdin")
    if len(token.encode("utf-8", "surrogateescape")) > MAX_TOKEN_BYTES:
        raise click.UsageError(f"a token of over {MAX_TOKEN_BYTES} bytes is nobody's")
    service = build(load(file))
    service.start()
    try:
        status = _walk(service, token, audiences)
    finally:
        service.close()
    raise SystemExit(status)


def _walk(service: Service, token: str, audiences: tuple[str, ...]) -> int:
    """Walk the chain and return the exit status."""
    _tell_claims(token)
    vouched = service.configuration.authentication.audiences
    asked = tuple(each for each in audiences if not vouched or each in vouched)
    if audiences and not asked:
        _say(f"refused: asked for {', '.join(audiences)}, but vouches for {', '.join(vouched)}")
        return 1
    failed = False
    for name, authenticator in service.chain:
        identity, broken = _ask(name, authenticator, token, asked)
        failed = failed or broken
        if identity is not None:
            _tell_user(name, identity)
            return 0
    if failed:
        _say("unknown: no authenticator knows the token, and one could not answer")
        return 2
    _say("refused: no authenticator knows the token")
    return 1


def _say(line: str) -> None:
    """Print a line; nothing that a token or a provider says in it moves the terminal."""
    click.echo("".join(each if each.isprintable() else "�" for each in line))


def _ask(
    name: str, authenticator: TokenAuthenticator, token: str, audiences: tuple[str, ...]
) -> tuple[Identity | None, bool]:
    """Ask one authenticator; return what the chain would get from it, and whether it failed."""
    from authsvc.authn.checks import Check, Explaining, Explanation

    if isinstance(authenticator, Explaining):
        route = authenticator.route(token)
        _say(f"{name}: {'takes' if route.takes else 'leaves'} it, for {route.reason}")
        if not route.takes:
            return None, False
        told = authenticator.explain(token, audiences)
    else:
        _say(f"{name}: looks at every token")
        try:
            identity = authenticator.authenticate_token(token, audiences)
        except BackendError as error:
            told = Explanation((Check("provider", None, str(error)),), None)
        else:
            known = identity is not None
            detail = "it knows it" if known else "it does not know it"
            told = Explanation((Check("token", known, detail),), identity)
    return _guarded(name, told)


def _guarded(name: str, told: Explanation) -> tuple[Identity | None, bool]:
    """Tell the checks, and what remains of the user when the guard has seen it."""
    from authsvc.authn.guard import guard_user

    for check in told.checks:
        _tell(check.name, check.passed, check.detail)
    if told.identity is None:
        return None, any(check.passed is None for check in told.checks)
    before = told.identity.user
    after = guard_user(before, name)
    if after is None:
        _tell(
            "system: names", False, f"{before.username!r} belongs to the API server, or is no text"
        )
        return None, False
    dropped = sorted(set(before.groups) - set(after.groups))
    if dropped:
        _tell("system: names", True, f"dropped the groups {', '.join(dropped)}")
    return told.identity._replace(user=after), False


def _tell(check: str, passed: bool | None, detail: str) -> None:
    _say(f"  {_MARKS[passed]}  {check}: {detail}")


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
