"""What the API server is told of an issuer means what authsvc means."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.authn.claims import (
    ClaimMapping,
    ClaimMappings,
    ClaimRule,
    GroupsMapping,
    UserRule,
    map_user,
)
from authsvc.authn.expressions import Expression, Result, Variable
from authsvc.authn.http_settings import HTTPSettings
from authsvc.authn.oidc.apiserver import authentication_configuration
from authsvc.authn.oidc.settings import OIDCSettings, TokenType
from authsvc.errors import InvalidConfigurationError

NESTED = ClaimMappings(
    username=ClaimMapping("/person/na~1me", "oidc:"),
    groups=GroupsMapping(ClaimMapping("/realm_access/ro'les", "kc:")),
    uid=ClaimMapping("/person/id"),
    extra=(("example.com/tenant", ClaimMapping("tid")),),
)


def settings(**changes: Any) -> OIDCSettings:
    arguments: dict[str, Any] = {
        "issuer": "https://issuer.test",
        "audiences": ("kubernetes",),
        "mappings": ClaimMappings(
            ClaimMapping("sub", "oidc:"),
            GroupsMapping(ClaimMapping("groups", "")),
            ClaimMapping("oid"),
        ),
        **changes,
    }
    return OIDCSettings(**arguments)


def test_plain_claims_are_said_in_the_api_servers_own_words() -> None:
    document = authentication_configuration(
        [settings(claim_rules=(ClaimRule("hd", "example.com"),))]
    )

    assert document["apiVersion"] == "apiserver.config.k8s.io/v1"
    assert document["kind"] == "AuthenticationConfiguration"
    (jwt,) = document["jwt"]
    assert jwt["issuer"] == {"url": "https://issuer.test", "audiences": ["kubernetes"]}
    assert jwt["claimMappings"] == {
        "username": {"claim": "sub", "prefix": "oidc:"},
        "groups": {"claim": "groups", "prefix": ""},
        "uid": {"claim": "oid"},
    }
    assert jwt["claimValidationRules"][0] == {"claim": "hd", "requiredValue": "example.com"}


@pytest.mark.parametrize(
    ("username", "groups", "is_good"),
    [
        ("alice", ["dev"], True),
        ("alice", [], True),
        ("system:admin", [], False),
        ("kubeadm:x", [], False),
        ("alice", ["dev", "system:masters"], False),
        ("alice", ["kubeadm:cluster-admins", "dev"], False),
    ],
)
def test_what_the_guard_refuses_the_api_server_refuses_too(
    username: str, groups: list[str], is_good: bool
) -> None:
    (jwt,) = authentication_configuration([settings()])["jwt"]

    rules = [
        Expression(rule["expression"], Variable.USER, Result.BOOL)
        for rule in jwt["userValidationRules"]
    ]
    user = {"username": username, "groups": groups}
    assert all(rule.evaluate(user) for rule in rules) is is_good


@pytest.mark.parametrize(
    ("claims", "is_good"), [({"sub": "alice"}, True), ({"cnf": {"jkt": "x"}}, False)], ids=str
)
def test_a_token_that_is_bound_to_a_key_the_api_server_refuses_too(
    claims: dict[str, Any], is_good: bool
) -> None:
    (jwt,) = authentication_configuration([settings()])["jwt"]

    (rule,) = jwt["claimValidationRules"]
    expression = Expression(rule["expression"], Variable.CLAIMS, Result.BOOL)
    assert expression.evaluate(claims) is is_good


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "https://id.test?x=1", "https://#a"])
def test_an_issuer_that_the_api_server_would_refuse_is_refused_here(url: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=r"jwt\[0\]\.issuer\.url: .* https"):
        authentication_configuration([settings(issuer=url)])


@pytest.mark.parametrize(
    "claims",
    [
        {"realm_access": {"ro'les": ["a", "b"]}, "tid": "t"},
        {"realm_access": {"ro'les": "a"}},
        {"realm_access": {}, "tid": ["t", "u"]},
        {},
    ],
    ids=str,
)
def test_nested_claims_become_expressions_that_result_in_the_same_user(
    claims: dict[str, Any],
) -> None:
    claims = {"person": {"na/me": "alice", "id": "42"}, **claims}
    said = authentication_configuration([settings(mappings=NESTED)])["jwt"][0]["claimMappings"]

    def evaluate(expression: str, result: Result) -> Any:
        return Expression(expression, Variable.CLAIMS, result).evaluate(claims)

    ours = map_user(claims, NESTED, lambda *_: None)
    assert evaluate(said["username"]["expression"], Result.STRING) == ours.username
    assert evaluate(said["uid"]["expression"], Result.STRING) == ours.uid
    assert sorted(evaluate(said["groups"]["expression"], Result.STRINGS)) == list(ours.groups)
    extra = evaluate(said["extra"][0]["valueExpression"], Result.STRINGS)
    assert tuple([extra] if isinstance(extra, str) else extra) == ours.extra.get(
        "example.com/tenant", ()
    )


def test_expressions_are_passed_on_with_their_messages() -> None:
    def rule(text: str, variable: Variable) -> Expression:
        return Expression(text, variable, Result.BOOL)

    document = authentication_configuration(
        [
            settings(
                audiences=("a", "b"),
                discovery_url="https://inside.test/d",
                http=HTTPSettings(ca_data="PEM"),
                claim_rules=(
                    ClaimRule(
                        expression=rule("claims.n < 3", Variable.CLAIMS), message="n is too large"
                    ),
                    ClaimRule("/a/b", "it's"),
                ),
                user_rules=(UserRule(rule("user.username != 'x'", Variable.USER)),),
            )
        ]
    )

    (jwt,) = document["jwt"]
    assert jwt["issuer"] == {
        "url": "https://issuer.test",
        "audiences": ["a", "b"],
        "audienceMatchPolicy": "MatchAny",
        "discoveryURL": "https://inside.test/d",
        "certificateAuthority": "PEM",
    }
    assert jwt["claimValidationRules"][:2] == [
        {"expression": "claims.n < 3", "message": "n is too large"},
        {"expression": "string(claims['a']['b']) == 'it\\'s'"},
    ]
    assert jwt["userValidationRules"][0] == {"expression": "user.username != 'x'"}


def test_what_the_api_server_has_no_word_for_is_refused_all_at_once() -> None:
    with pytest.raises(InvalidConfigurationError) as refused:
        authentication_configuration(
            [
                settings(),
                settings(
                    jwks_url="https://keys.test",
                    token_type=TokenType.ACCESS_TOKEN,
                    mappings=ClaimMappings(
                        ClaimMapping("sub"),
                        GroupsMapping(ClaimMapping("groups"), exclude=("x-*",)),
                    ),
                ),
            ]
        )

    assert [error.path for error in refused.value.errors] == [
        "jwt[1].jwksURL",
        "jwt[1].tokenType",
        "jwt[1].claimMappings.groups.exclude",
    ]
