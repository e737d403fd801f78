"""From the claims of a verified token to a user, as AuthenticationConfiguration maps them.

Claims are JSON of any shape: a token is refused where one is not what its mapping
expects. Nothing is repaired and nothing left out, since a user with one group
fewer may be one to whom no deny rule applies.

A claim is named literally (``email``, ``https://example.com/groups``), or by a
JSON Pointer (RFC 6901) where it is nested: ``/realm_access/roles``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from authsvc.authn.checks import Refused, Report
from authsvc.authn.expressions import Expression
from authsvc.interfaces import UserInfo

Claims = Mapping[str, Any]

_FAR = 1e15  # seconds; beyond it a time is none, and an int may not fit into a float


@dataclass(frozen=True, slots=True)
class ClaimMapping:
    """Where a value comes from: a claim with something put before it, or an expression."""

    claim: str = ""
    prefix: str = ""
    expression: Expression | None = None


@dataclass(frozen=True, slots=True)
class GroupsMapping:
    """Where groups come from; of them those that match ``include`` (if any) and no ``exclude``.

    Both are lists of globs over the provider's own names, before the prefix.
    Case counts: to a provider two names that differ in it are two groups.
    """

    source: ClaimMapping
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimMappings:
    """How claims make a user; ``extra`` are pairs of a key and where its values come from."""

    username: ClaimMapping
    groups: GroupsMapping | None = None
    uid: ClaimMapping | None = None
    extra: tuple[tuple[str, ClaimMapping], ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """A claim that must have a value, or an expression over ``claims`` that must be true."""

    claim: str = ""
    required_value: str = ""
    expression: Expression | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class UserRule:
    """An expression over ``user`` that must be true."""

    expression: Expression
    message: str = ""


def find(claims: Claims, name: str) -> Any:
    """Return a claim's value, None where there is none."""
    if not name.startswith("/"):
        return claims.get(name)
    value: Any = claims
    for step in name[1:].split("/"):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step.replace("~1", "/").replace("~0", "~"))
    return value


def check_times(
    claims: Claims, now: float, skew: float, report: Report, *, essential: bool = True
) -> float | None:
    """Check exp and nbf (RFC 7519 4.1.4, 4.1.5); return exp, None where there is none.

    ``now`` in seconds since the epoch, ``skew`` in seconds; ``essential``
    refuses a token without exp.
    """
    expires_at, not_before = _numeric_date(claims, "exp"), _numeric_date(claims, "nbf")
    if expires_at is None and essential:
        raise Refused("expiry", "exp is missing")
    if expires_at is not None and now >= expires_at + skew:
        raise Refused("expiry", f"expired {now - expires_at:.0f} s ago")
    if not_before is not None and now < not_before - skew:
        raise Refused("not before", f"not valid for another {not_before - now:.0f} s")
    report("expiry", "not said" if expires_at is None else f"in {expires_at - now:.0f} s")
    return expires_at


def check_audience(claims: Claims, audiences: tuple[str, ...], report: Report) -> None:
    """Check that aud (RFC 7519 4.1.3) names one of the audiences."""
    audience = claims.get("aud")
    given = [audience] if isinstance(audience, str) else audience
    if not isinstance(given, list) or not any(each in audiences for each in given):
        raise Refused("audience", f"it is for {audience!r}, not {list(audiences)}")
    report("audience", f"{audience!r}")


def check_bearer(claims: Claims) -> None:
    """Check that whoever bears the token may use it: no key is to be shown along with it.

    A token that is bound to a key (``cnf``, RFC 7800 3.1) is worth nothing
    without it, and must not be taken from a bearer (RFC 8705 3, RFC 9449 7.2):
    they may have found it where it was of no use.
    """
    if claims.get("cnf") is not None:
        raise Refused("bearer", "it is bound to a key (cnf), which a TokenReview does not show")


def check_claims(claims: Claims, rules: tuple[ClaimRule, ...], report: Report) -> None:
    """Check required claims and expressions over claims."""
    for rule in rules:
        if rule.expression is not None:
            _check_expression("claim rule", rule.expression, claims, rule.message, report)
            continue
        value = find(claims, rule.claim)
        if _text(value) != rule.required_value:
            raise Refused("claim rule", f"{rule.claim} is {value!r}, not {rule.required_value!r}")
        report("claim rule", f"{rule.claim} is {value!r}")


def check_user(user: UserInfo, rules: tuple[UserRule, ...], report: Report) -> None:
    """Check expressions over the user that came of the claims."""
    if not rules:
        return
    value = {
        "username": user.username,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }
    for rule in rules:
        _check_expression("user rule", rule.expression, value, rule.message, report)


def map_user(claims: Claims, mappings: ClaimMappings, report: Report) -> UserInfo:
    """Make a user of claims."""
    username = _username(claims, mappings.username)
    report("username", username)
    uid = ""
    if mappings.uid is not None:
        uid = _uid(claims, mappings.uid)
        report("uid", uid)
    groups: tuple[str, ...] = ()
    if mappings.groups is not None:
        groups = _groups(claims, mappings.groups)
        report("groups", ", ".join(groups) or "none")
    if not mappings.extra:
        return UserInfo(username, uid, groups)
    extra = {key: _strings(key, _value(key, claims, source)) for key, source in mappings.extra}
    extra = {key: values for key, values in extra.items() if values}
    report("extra", ", ".join(f"{key}={list(values)}" for key, values in extra.items()) or "none")
    return UserInfo(username, uid, groups, extra)


def _numeric_date(claims: Claims, name: str) -> float | None:
    """Return a NumericDate (RFC 7519 2); None where it is absent."""
    value = claims.get(name)
    if value is None:
        return None
    # Not a number compares to nothing, so it is outside as well.
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_FAR < value < _FAR:
        raise Refused(name, f"{value!r} is not a time")
    return float(value)


def _username(claims: Claims, source: ClaimMapping) -> str:
    value = _value("username", claims, source)
    if not isinstance(value, str) or not value:
        raise Refused("username", f"{_name(source)} is {value!r}, not a name")
    # As the API server: an address nobody verified may be anybody's.
    if source.claim == "email" and claims.get("email_verified", True) is not True:
        raise Refused("username", "email_verified is not true")
    return source.prefix + value


def _uid(claims: Claims, source: ClaimMapping) -> str:
    value = _value("uid", claims, source)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        raise Refused("uid", f"{_name(source)} is {value!r}, not an identifier")
    return source.prefix + value


def _groups(claims: Claims, mapping: GroupsMapping) -> tuple[str, ...]:
    source = mapping.source
    elsewhere = claims.get("_claim_names")
    if isinstance(elsewhere, Mapping) and source.claim in elsewhere:
        # OpenID Connect Core 5.6.2; Entra ID sends it for people with over 200 groups
        raise Refused("groups", f"{source.claim} is not in the token but elsewhere (_claim_names)")
    names = _strings("groups", _value("groups", claims, source))
    include, exclude = mapping.include, mapping.exclude
    kept = {
        source.prefix + name
        for name in names
        if name
        and (not include or any(fnmatchcase(name, glob) for glob in include))
        and not any(fnmatchcase(name, glob) for glob in exclude)
    }
    return tuple(sorted(kept))


def _value(what: str, claims: Claims, source: ClaimMapping) -> Any:
    if source.expression is None:
        return find(claims, source.claim)
    try:
        return source.expression.evaluate(claims)
    except ValueError as error:
        raise Refused(what, f"{source.expression.text}: {error}") from None


def _strings(what: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise Refused(what, "expected a string or a list of strings")


def _check_expression(
    check: str, expression: Expression, value: Claims, message: str, report: Report
) -> None:
    try:
        passed = expression.evaluate(value)
    except ValueError as error:
        raise Refused(check, f"{expression.text}: {error}") from None
    if passed is not True:
        raise Refused(check, message or f"{expression.text} is not true")
    report(check, f"{expression.text} is true")


def _name(source: ClaimMapping) -> str:
    return f"claim {source.claim}" if source.expression is None else source.expression.text


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None
