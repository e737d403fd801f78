"""Whether an account may be used, by what the directory's own kind writes into it.

A bind alone does not tell: a look-up has none, and some servers let an expired
account bind. Each family is a function of an entry and the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from authsvc.authn.ldap.entry import Entry
from authsvc.authn.ldap.errors import EntryError
from authsvc.authn.ldap.settings import AccountStatus

# [MS-ADTS] section 2.2.16 and [MS-ADTS] 3.1.1.4.5.17
_DISABLED = 0x2
_LOCKED_OUT = 0x10
_PASSWORD_NEVER_EXPIRES = 0x10000
_PASSWORD_EXPIRED = 0x800000
_NEVER = 0x7FFF_FFFF_FFFF_FFFF
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Problem(NamedTuple):
    """Why an account may not be used. ``passing``: a good bind may have ended it just now."""

    reason: str
    passing: bool = False


def attributes(families: Iterable[AccountStatus]) -> tuple[str, ...]:
    """Return the attributes that the families look at."""
    return tuple(name for family in families for name in _ATTRIBUTES[family])


def problem(entry: Entry, families: Iterable[AccountStatus], now: datetime) -> Problem | None:
    """Return why the account may not be used, None where nothing speaks against it.

    Raises:
        EntryError: an attribute is not of the form it should have, or not there to be read.
    """
    problems = [found for family in families if (found := _FAMILIES[family](entry, now))]
    return min(problems, key=lambda each: each.passing, default=None)


def _active_directory(entry: Entry, now: datetime) -> Problem | None:
    control = _integer(entry, "userAccountControl")
    if control is None:  # every account has it, so this is not to be read by us
        raise EntryError(f"the service may not read userAccountControl of {entry.dn}")
    if control & _DISABLED:
        return Problem("disabled (userAccountControl)")
    expires = _integer(entry, "accountExpires")
    if expires and expires != _NEVER and _filetime(expires) <= now:
        return Problem("expired (accountExpires)")
    if _integer(entry, "pwdLastSet") == 0 and not control & _PASSWORD_NEVER_EXPIRES:
        return Problem("password must be changed (pwdLastSet)")
    # lockoutTime stays when the lock's time is over; the computed value knows.
    computed = _integer(entry, "msDS-User-Account-Control-Computed")
    if computed is None:
        locked = bool(_integer(entry, "lockoutTime"))
        return Problem("locked out (lockoutTime)", passing=True) if locked else None
    if computed & _PASSWORD_EXPIRED:
        return Problem("password expired (msDS-User-Account-Control-Computed)")
    if computed & _LOCKED_OUT:
        return Problem("locked out (msDS-User-Account-Control-Computed)", passing=True)
    return None


def _ppolicy(entry: Entry, now: datetime) -> Problem | None:  # noqa: ARG001  one signature for all
    since = entry.first("pwdAccountLockedTime")
    if since is not None:
        # 000001010000Z: locked until an administrator says otherwise. Any other
        # time may be followed by the end of the lock, which the next bind sees.
        return Problem("locked (pwdAccountLockedTime)", passing=not since.startswith("0000"))
    if (entry.first("pwdReset") or "").upper() == "TRUE":
        return Problem("password must be changed (pwdReset)")
    return None


def _ns_account_lock(entry: Entry, now: datetime) -> Problem | None:  # noqa: ARG001
    locked = (entry.first("nsAccountLock") or "").lower() == "true"
    return Problem("locked (nsAccountLock)") if locked else None


def _kerberos(entry: Entry, now: datetime) -> Problem | None:
    expiration = entry.first("krbPrincipalExpiration")
    if expiration is None:
        return None
    try:
        until = datetime.strptime(expiration, "%Y%m%d%H%M%S%z")
    except ValueError:
        raise EntryError(f"krbPrincipalExpiration of {entry.dn} is not a time") from None
    return Problem("expired (krbPrincipalExpiration)") if until <= now else None


def _shadow(entry: Entry, now: datetime) -> Problem | None:
    day = _integer(entry, "shadowExpire")
    if day is None or day < 0:
        return None
    return Problem("expired (shadowExpire)") if (now - _UNIX_EPOCH).days >= day else None


def _integer(entry: Entry, attribute: str) -> int | None:
    text = entry.first(attribute)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise EntryError(f"{attribute} of {entry.dn} is not a number") from None


def _filetime(ticks: int) -> datetime:
    """Return the time of a Windows FILETIME, which counts 100 ns from 1601."""
    try:
        return _FILETIME_EPOCH + timedelta(microseconds=ticks // 10)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


_FAMILIES: dict[AccountStatus, Callable[[Entry, datetime], Problem | None]] = {
    AccountStatus.ACTIVE_DIRECTORY: _active_directory,
    AccountStatus.PPOLICY: _ppolicy,
    AccountStatus.NS_ACCOUNT_LOCK: _ns_account_lock,
    AccountStatus.KERBEROS: _kerberos,
    AccountStatus.SHADOW: _shadow,
}

_ATTRIBUTES: dict[AccountStatus, tuple[str, ...]] = {
    AccountStatus.ACTIVE_DIRECTORY: (
        "userAccountControl",
        "accountExpires",
        "lockoutTime",
        "pwdLastSet",
        "msDS-User-Account-Control-Computed",
    ),
    AccountStatus.PPOLICY: ("pwdAccountLockedTime", "pwdReset"),
    AccountStatus.NS_ACCOUNT_LOCK: ("nsAccountLock",),
    AccountStatus.KERBEROS: ("krbPrincipalExpiration",),
    AccountStatus.SHADOW: ("shadowExpire",),
}
