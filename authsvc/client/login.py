"""From no good token to a good one: refresh, else log in, once, one at a time.

What kubectl asked (``request.Request``) comes in, a session comes out, kept in
the store. Nothing is tried twice: a rejected refresh leads to one login, a
failed login to an error.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from authsvc.client import flows, sessions
from authsvc.client.errors import (
    ClientError,
    MissingTokenError,
    RefusedError,
    UnusableSessionError,
)
from authsvc.client.lock import one_at_a_time
from authsvc.client.provider import Provider, read_secret
from authsvc.client.request import Request
from authsvc.client.settings import UNATTENDED, Settings, parse
from authsvc.client.storage import Store
from authsvc.client.terminal import say
from authsvc.client.tokens import Tokens, check_id_token, claims

if TYPE_CHECKING:
    from authsvc.client.sessions import Session

_FILE_REREAD = 60.0  # seconds: a token file is replaced behind our back

# Answers to a refresh that end the session; others are faults of another kind.
_ENDED = ("invalid_grant", "login_required", "interaction_required", "consent_required")


@dataclass(frozen=True)
class Status:
    """What is kept of a login; empty, or None, is what there is not.

    ``logged_in`` tells whether kubectl can use it without asking a person;
    ``good_until`` is in seconds since the epoch; ``refresh_token_in`` is
    ``keyring`` or ``file``.
    """

    cluster: str
    issuer: str
    logged_in: bool
    username: str = ""
    good_until: float | None = None
    refresh_token_in: str = ""
    session_file: str = ""
    token_file: str = ""


def token(asked: Request, environment: Mapping[str, str]) -> tuple[str, float]:
    """Return a good token, and until when it is to be used, in seconds since the epoch.

    Raises:
        ClientError: it is not to be had, or a person would have to log in and
            may not be asked.
    """
    settings = parse(asked.values)
    if settings.flow == "token-file":
        return _from_file(settings.token_file)
    store = _store(asked, settings, environment)
    with one_at_a_time(store.lock_file, settings.login_timeout):
        session = store.load()
        if session is None or not sessions.is_good(session, time.time()):
            session = _renew(asked, settings, store, session, environment)
            store.save(session)
    return session["token"], session["good_until"]


def status(asked: Request, environment: Mapping[str, str]) -> Status:
    """Tell what is kept.

    Raises:
        ClientError: the file that keeps it cannot be trusted or is damaged.
    """
    settings = parse(asked.values)
    known = Status(asked.cluster, settings.issuer, logged_in=False)
    if settings.flow == "token-file":
        return replace(known, logged_in=True, token_file=settings.token_file)
    store = Store(asked.key, environment, use_keyring=settings.keyring == "auto")
    session = store.load()
    if session is None:
        return known
    renewable = bool(session.get("refresh_token"))
    return replace(
        known,
        logged_in=renewable or sessions.is_good(session, time.time()),
        username=session["username"],
        good_until=session["good_until"],
        refresh_token_in=session.get("refresh_token_in", "file") if renewable else "",
        session_file=str(store.file),
    )


def log_in(asked: Request, environment: Mapping[str, str], overrides: Mapping[str, str]) -> Session:
    """Log in anew, whatever is kept. ``overrides`` are settings for this once.

    Raises:
        ClientError: it did not come to a login. What was kept is as before.
    """
    settings = parse({**asked.values, **overrides})
    store = _store(asked, settings, environment)
    with one_at_a_time(store.lock_file, settings.login_timeout):
        session = _new(asked, Provider(settings), environment)
        store.save(session)
    return session


def log_out(asked: Request, environment: Mapping[str, str]) -> bool:
    """End the session here and at the issuer; tell whether there was one.

    Raises:
        ClientError: the issuer could not be told. It is forgotten here all the same.
    """
    settings = parse(asked.values)
    store = _store(asked, settings, environment)
    with one_at_a_time(store.lock_file, settings.login_timeout):
        try:
            session = store.load()
        except UnusableSessionError as error:  # forgetting it is what is asked for
            store.remove()
            raise _not_told(f"{error.why}, so the session goes on there until it ends") from None
        store.remove()
        if session is None:
            return False
        _revoke(settings, session)
    return True


def _revoke(settings: Settings, session: Session) -> None:
    refresh_token, endpoint = session.get("refresh_token"), session.get("revocation_endpoint")
    if not refresh_token:
        if session.get("refresh_token_in"):
            raise _not_told("the keyring did not give what renews the session there")
        return  # nothing that is good for longer than the token
    if not endpoint:
        say(f"kubectl-authsvc: {settings.issuer} cannot be told: the session there ends by itself")
        return
    try:
        Provider(settings).revoke(refresh_token, endpoint)
    except ClientError as error:
        raise _not_told(str(error)) from None


def _not_told(why: str) -> ClientError:
    return ClientError(f"logged out here, but the issuer could not be told: {why}")


def _store(asked: Request, settings: Settings, environment: Mapping[str, str]) -> Store:
    if settings.flow == "token-file":
        raise ClientError(f"the token comes from {settings.token_file}: there is no session")
    store = Store(asked.key, environment, use_keyring=settings.keyring == "auto")
    store.prepare()
    return store


def _renew(
    asked: Request,
    settings: Settings,
    store: Store,
    session: Session | None,
    environment: Mapping[str, str],
) -> Session:
    provider = Provider(settings)
    ended = f"not logged in to {settings.issuer}"
    if session is not None and session.get("refresh_token"):
        try:
            return _refreshed(asked, provider, session)
        except (RefusedError, MissingTokenError) as error:
            if isinstance(error, RefusedError) and error.error not in _ENDED:
                raise
            ended = f"the session at {settings.issuer} has ended ({error})"
            del session["refresh_token"]  # not to be offered again with each call
            store.save(session)
    if settings.flow not in UNATTENDED:
        if not asked.interactive:
            raise ClientError(f"{ended}: run `kubectl authsvc login`")
        say(f"kubectl-authsvc: {ended}")
    return _new(asked, provider, environment)


def _refreshed(asked: Request, provider: Provider, session: Session) -> Session:
    form = {"grant_type": "refresh_token", "refresh_token": session.get("refresh_token", "")}
    tokens = provider.token(form, endpoint=session["token_endpoint"], kind=session["kind"])
    check_id_token(tokens, provider.settings.issuer, provider.settings.client_id)
    if tokens.subject and session["subject"] and tokens.subject != session["subject"]:
        # OpenID Connect Core 12.2
        raise ClientError("the issuer answered with another user's token: log out and in again")
    # RFC 6749 section 6: without a new refresh token the old one stays good. Nor need
    # the answer tell again who the user is, or where the endpoints are.
    renewed = session.copy()
    renewed.update(_kept(asked, tokens, session["token_endpoint"]))
    if not tokens.subject:
        renewed["subject"], renewed["username"] = session["subject"], session["username"]
    return renewed


def _new(asked: Request, provider: Provider, environment: Mapping[str, str]) -> Session:
    session = _kept(asked, flows.log_in(provider, environment), provider.endpoint("token"))
    if revocation := provider.endpoint("revocation"):
        session["revocation_endpoint"] = revocation
    return session


def _kept(asked: Request, tokens: Tokens, token_endpoint: str) -> Session:
    now = time.time()
    session: Session = {
        "key": asked.key,
        "token": tokens.token,
        "kind": tokens.kind,
        "obtained_at": now,
        "good_until": tokens.good_until(now),
        "subject": tokens.subject,
        "username": tokens.username,
        "token_endpoint": token_endpoint,
    }
    if tokens.refresh_token:
        session["refresh_token"] = tokens.refresh_token
    return session


def _from_file(file: str) -> tuple[str, float]:
    found, now = read_secret(file), time.time()
    expires = claims(found).get("exp")
    if not isinstance(expires, (int, float)):
        return found, now + _FILE_REREAD
    if expires <= now:
        when = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(expires))
        raise ClientError(
            f"the token in {file} ended at {when} by this machine's clock: have it renewed"
        )
    return found, min(now + _FILE_REREAD, float(expires))
