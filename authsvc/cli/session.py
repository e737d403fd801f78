"""``authsvc session …``: who is logged in, on which devices, and how to log them out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authsvc.cli.options import config_option, issuing_of, printable, table, utc

if TYPE_CHECKING:
    from authsvc.store.protocol import Session, Store


@click.group()
def session() -> None:
    """List the sessions of people who logged in; end them."""


@session.command("list", epilog="Example: authsvc session list --user alice")
@config_option
@click.option("--user", help="Only those of this user, as Kubernetes knows them.")
@click.option("--output", "-o", type=click.Choice(["table", "json"]), default="table")
def list_(file: Path, user: str | None, output: str) -> None:
    """List the live sessions, one a login and device, the oldest first."""
    store, _ = _open(file)
    sessions = store.sessions(time.time(), user)
    store.close()
    if output == "json":
        _print_json(sessions)
        return
    heads = ["SESSION", "USER", "CLIENT", "ADDRESS", "CREATED", "LAST USED", "ENDS"]
    rows = [
        [
            *(each.id, each.username, each.client, each.address),
            *(utc(each.created_at), utc(each.used_at), utc(each.expires_at)),
        ]
        for each in sessions
    ]
    click.echo(table(heads, rows))


@session.command(epilog="Example: authsvc session revoke --user alice")
@config_option
@click.argument("ids", metavar="[SESSION]...", nargs=-1)
@click.option("--user", help="All sessions of this user.")
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ"]),
    help="With --user: only those of logins before this time (UTC); by default now.",
)
def revoke(file: Path, ids: Sequence[str], user: str | None, before: datetime | None) -> None:
    """End sessions by id, or everything of a user before now.

    Refresh tokens are refused at once. Access tokens are refused by every
    worker within seconds, and by the API server when its own cache of them ends
    (--authentication-token-webhook-cache-ttl). Where an API server verifies
    tokens by itself they end when they expire. Exit status 1 where there was
    nothing to end.
    """
    if bool(ids) == (user is not None) or (before is not None and user is None):
        raise click.UsageError("expected either SESSION... or --user USER [--before TIME]")
    store, overlap = _open(file)
    now = time.time()
    if user is not None:
        moment = now if before is None else before.replace(tzinfo=UTC).timestamp()
        ended = store.revoke_user(user, moment, now + overlap)
        missing = [] if ended else [f"{user} has no session"]
    else:
        found = {each: store.revoke(each, now + overlap) for each in ids}
        ended = [each for each in found.values() if each is not None]
        missing = [f"{each}: no such session" for each, was in found.items() if was is None]
    store.close()
    for each in ended:
        click.echo(printable(f"{each.id}: ended, of {each.username} from {each.address}"))
    for message in missing:
        click.echo(f"error: {message}", err=True)
    if missing:
        raise SystemExit(1)


def _open(file: Path) -> tuple[Store, float]:
    """Return the configured store, and how long its revocations have to be remembered."""
    from authsvc.config import load
    from authsvc.errors import ConfigError, InvalidConfigurationError
    from authsvc.store.opening import open_store

    configuration = load(file, unneeded="issuer.keys")
    issuing = issuing_of(configuration)
    if configuration.store is None:
        raise InvalidConfigurationError([ConfigError("store", "required")])
    return open_store(configuration.store), issuing.issuer.key_overlap


def _print_json(sessions: Sequence[Session]) -> None:
    import msgspec

    documents = [
        {
            "id": each.id,
            "user": each.username,
            "directory": each.directory,
            "client": each.client,
            "address": each.address,
            "audience": each.audience,
            "created": utc(each.created_at),
            "lastUsed": utc(each.used_at),
            "ends": utc(each.expires_at),
        }
        for each in sessions
    ]
    click.echo(msgspec.json.format(msgspec.json.encode(documents), indent=2).decode())
