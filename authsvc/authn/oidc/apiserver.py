"""The AuthenticationConfiguration of an API server that verifies an issuer's JWTs itself.

It is made from the settings with which authsvc would verify them, so that a
user is the same user either way (apiserver.config.k8s.io/v1, KEP-3331). What
the API server has no word for is an error rather than left out: a rule that is
missing would let in more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from authsvc.authn.claims import ClaimMapping, ClaimMappings, ClaimRule, GroupsMapping
from authsvc.authn.oidc.settings import OIDCSettings, TokenType
from authsvc.errors import ConfigError, InvalidConfigurationError

# What authn.guard refuses of every provider, in CEL.
_RESERVED = (
    {
        "expression": "!user.username.matches('^(system|kubeadm):')",
        "message": "user names in system: and kubeadm: belong to the cluster itself",
    },
    {
        "expression": "user.groups.all(group, !group.matches('^(system|kubeadm):'))",
        "message": "groups in system: and kubeadm: belong to the cluster itself",
    },
)
# What authn.claims.check_bearer refuses.
_BEARER = {
    "expression": "!has(claims.cnf)",
    "message": "a token that is bound to a key (cnf) is not for a bearer",
}


def authentication_configuration(issuers: Iterable[OIDCSettings]) -> dict[str, Any]:
    """Return the AuthenticationConfiguration for issuers, as a document.

    Raises:
        InvalidConfigurationError: every setting that the API server has no word for.
    """
    errors: list[ConfigError] = []
    jwt = [_jwt(settings, f"jwt[{index}]", errors) for index, settings in enumerate(issuers)]
    if errors:
        raise InvalidConfigurationError(errors)
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": jwt,
    }


def _jwt(settings: OIDCSettings, at: str, errors: list[ConfigError]) -> dict[str, Any]:
    for name, unsaid in (
        ("jwksURL", bool(settings.jwks_url)),
        ("tokenType", settings.token_type is not TokenType.ANY),
        ("http.proxyURL", bool(settings.http.proxy)),
        ("http.clientCertFile", settings.http.client_cert_file is not None),
    ):
        if unsaid:
            errors.append(ConfigError(f"{at}.{name}", "the API server has no such setting"))
    url = urlsplit(settings.issuer)
    if url.scheme != "https" or not url.hostname or url.query or url.fragment:
        message = f"{settings.issuer!r} is not an https URL without a query"
        errors.append(ConfigError(f"{at}.issuer.url", message))
    issuer: dict[str, Any] = {"url": settings.issuer, "audiences": list(settings.audiences)}
    if len(settings.audiences) > 1:
        issuer["audienceMatchPolicy"] = "MatchAny"
    if settings.discovery_url:
        issuer["discoveryURL"] = settings.discovery_url
    if authority := _authority(settings, at, errors):
        issuer["certificateAuthority"] = authority
    document: dict[str, Any] = {
        "issuer": issuer,
        "claimMappings": _mappings(settings.mappings, f"{at}.claimMappings", errors),
    }
    claim_rules = [_claim_rule(rule) for rule in settings.claim_rules]
    document["claimValidationRules"] = [*claim_rules, _BEARER]
    user_rules = [
        _with_message({"expression": rule.expression.text}, rule.message)
        for rule in settings.user_rules
    ]
    document["userValidationRules"] = [*user_rules, *_RESERVED]
    return document


def _authority(settings: OIDCSettings, at: str, errors: list[ConfigError]) -> str:
    if settings.http.ca_file is None:
        return settings.http.ca_data
    try:
        return settings.http.ca_file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        errors.append(ConfigError(f"{at}.http.caFile", f"{settings.http.ca_file}: not readable"))
        return ""


def _mappings(mappings: ClaimMappings, at: str, errors: list[ConfigError]) -> dict[str, Any]:
    document: dict[str, Any] = {"username": _username(mappings.username)}
    if mappings.groups is not None:
        document["groups"] = _groups(mappings.groups, f"{at}.groups", errors)
    if mappings.uid is not None:
        plain = _is_plain(mappings.uid)
        uid = mappings.uid.claim if plain else _expression(mappings.uid)
        document["uid"] = {"claim" if plain else "expression": uid}
    if mappings.extra:
        document["extra"] = [
            {"key": key, "valueExpression": _expression(source, absent="dyn([])")}
            for key, source in mappings.extra
        ]
    return document


def _username(source: ClaimMapping) -> dict[str, Any]:
    if _is_plain(source):
        return {"claim": source.claim, "prefix": source.prefix}
    prefix = f"{_quoted(source.prefix)} + " if source.prefix else ""
    return {"expression": f"{prefix}{_expression(source)}"}


def _groups(mapping: GroupsMapping, at: str, errors: list[ConfigError]) -> dict[str, Any]:
    for name, globs in (("include", mapping.include), ("exclude", mapping.exclude)):
        if globs:
            errors.append(
                ConfigError(f"{at}.{name}", "the API server has no globs; write an expression")
            )
    source = mapping.source
    if _is_plain(source):
        return {"claim": source.claim, "prefix": source.prefix}
    names = _expression(source, absent="dyn([])")
    if source.prefix:
        names = f"(type({names}) == string ? [{names}] : {names})"
        names += f".map(name, {_quoted(source.prefix)} + name)"
    return {"expression": names}


def _is_plain(source: ClaimMapping) -> bool:
    return source.expression is None and not source.claim.startswith("/")


def _claim_rule(rule: ClaimRule) -> dict[str, Any]:
    if rule.expression is not None:
        return _with_message({"expression": rule.expression.text}, rule.message)
    if not rule.claim.startswith("/"):
        return {"claim": rule.claim, "requiredValue": rule.required_value}
    value = _expression(ClaimMapping(rule.claim))
    return {"expression": f"string({value}) == {_quoted(rule.required_value)}"}


def _with_message(rule: dict[str, Any], message: str) -> dict[str, Any]:
    return {**rule, "message": message} if message else rule


def _expression(source: ClaimMapping, absent: str = "") -> str:
    """Return the CEL for a claim: ``claims['a']['b']`` for ``/a/b``; ``absent`` is its default."""
    if source.expression is not None:
        return source.expression.text
    steps: Sequence[str] = [source.claim]
    if source.claim.startswith("/"):
        steps = [step.replace("~1", "/").replace("~0", "~") for step in source.claim[1:].split("/")]
    if not absent:
        return "claims" + "".join(f"[{_quoted(step)}]" for step in steps)
    optional = "".join(f"[?{_quoted(step)}]" for step in steps)
    return f"claims{optional}.orValue({absent})"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
