"""A good token of a provider is its user's; one that lacks anything is nobody's."""

from __future__ import annotations

import time
from typing import Any

import pytest

from authsvc.authn.claims import (
    ClaimMapping,
    ClaimMappings,
    ClaimRule,
    GroupsMapping,
    UserRule,
    check_user,
)
from authsvc.authn.expressions import Expression, Result, Variable
from authsvc.authn.oidc.authenticator import OIDCAuthenticator
from authsvc.authn.oidc.settings import TokenType
from authsvc.interfaces import TokenAuthenticator, UserInfo
from tests.authn.oidc import AUDIENCE, MAPPINGS, sign
from tests.authn.oidc.conftest import NewOIDC
from tests.contract.token_authenticator import TokenAuthenticatorContract
from tests.parts.openid_provider import EDDSA, ES256, RS256, OpenIDProvider


class TestContract(TokenAuthenticatorContract):
    @pytest.fixture
    def authenticator(self, oidc: OIDCAuthenticator) -> TokenAuthenticator:
        return oidc

    @pytest.fixture
    def good_token(self, openid_provider: OpenIDProvider) -> str:
        tokens = openid_provider.grants.authorization_code("alice", resource=RS256)
        return str(tokens["access_token"])

    @pytest.fixture
    def expected_user(self) -> UserInfo:
        return UserInfo("alice", groups=("dev", "ops"))


@pytest.mark.parametrize("resource", [RS256, ES256, EDDSA])
def test_a_jwt_access_token_of_each_algorithm_is_its_users(
    openid_provider: OpenIDProvider, oidc: OIDCAuthenticator, resource: str
) -> None:
    token = openid_provider.grants.authorization_code("alice", resource=resource)["access_token"]

    identity = oidc.authenticate_token(token, ())

    assert identity is not None
    assert identity.user == UserInfo("alice", groups=("dev", "ops"))
    assert identity.expires_at is not None
    assert identity.expires_at > time.time()


def test_an_id_token_is_its_users(openid_provider: OpenIDProvider, oidc: OIDCAuthenticator) -> None:
    token = openid_provider.grants.authorization_code("bob")["id_token"]

    identity = oidc.authenticate_token(token, ())

    assert identity is not None
    assert identity.user == UserInfo("bob", groups=("dev",))


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": None},
        {"iss": "https://other.test"},
        {"aud": None},
        {"aud": "another"},
        {"aud": []},
        {"aud": ["another", "third"]},
        {"aud": {"kubernetes": True}},
        {"aud": [["kubernetes"]]},
        {"exp": None},
        {"exp": 1_600_000_000},
        {"exp": "2099-01-01"},
        {"exp": True},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": 10**400},
        {"nbf": 4_000_000_000},
        {"nbf": "soon"},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": ["alice"]},
        {"groups": {"dev": True}},
        {"groups": [{"name": "dev"}]},
        {"groups": ["dev", 7]},
        {"groups": 7},
        {"_claim_names": {"groups": "elsewhere"}},
        {"cnf": {"jkt": "a DPoP key"}},
        {"cnf": {"x5t#S256": "a client certificate"}},
    ],
    ids=str,
)
def test_a_token_that_says_something_wrong_is_nobodys(
    openid_provider: OpenIDProvider, oidc: OIDCAuthenticator, claims: dict[str, Any]
) -> None:
    assert oidc.authenticate_token(sign(openid_provider, **claims), ()) is None


@pytest.mark.parametrize(
    ("claims", "groups"),
    [
        ({}, ()),
        ({"groups": None}, ()),
        ({"groups": []}, ()),
        ({"groups": "dev"}, ("dev",)),
        ({"groups": ["ops", "dev", "ops", ""]}, ("dev", "ops")),
        ({"aud": ["another", AUDIENCE]}, ()),
        ({"nbf": 1_600_000_000}, ()),
    ],
    ids=str,
)
def test_a_token_that_says_enough_is_its_users(
    openid_provider: OpenIDProvider,
    oidc: OIDCAuthenticator,
    claims: dict[str, Any],
    groups: tuple[str, ...],
) -> None:
    identity = oidc.authenticate_token(sign(openid_provider, **claims), ())

    assert identity is not None
    assert identity.user == UserInfo("alice", groups=groups)


@pytest.mark.parametrize(("age", "taken"), [(20, True), (40, False)])
def test_clocks_may_differ_by_the_configured_skew(
    openid_provider: OpenIDProvider, age: int, taken: bool, new_oidc: NewOIDC
) -> None:
    oidc = new_oidc(openid_provider, clock_skew=30.0)

    expired = oidc.authenticate_token(sign(openid_provider, exp=time.time() - age), ())
    early = oidc.authenticate_token(sign(openid_provider, nbf=time.time() + age), ())

    assert (expired is not None, early is not None) == (taken, taken)


@pytest.mark.parametrize(
    ("mapped", "claims", "username"),
    [
        (ClaimMapping("email", "oidc:"), {"email": "a@b", "email_verified": True}, "oidc:a@b"),
        (ClaimMapping("email"), {"email": "a@b"}, "a@b"),
        (ClaimMapping("email"), {"email": "a@b", "email_verified": False}, None),
        (ClaimMapping("email"), {"email": "a@b", "email_verified": "true"}, None),
        (ClaimMapping("/person/name"), {"person": {"name": "al"}}, "al"),
        (ClaimMapping("/person/a~1b"), {"person": {"a/b": "al"}}, "al"),
        (ClaimMapping("/person/name"), {"person": "al"}, None),
        (ClaimMapping("person.name"), {"person": {"name": "al"}}, None),
        (ClaimMapping("https://example.com/name"), {"https://example.com/name": "al"}, "al"),
    ],
    ids=str,
)
def test_the_user_name_is_what_the_mapping_finds(
    openid_provider: OpenIDProvider,
    mapped: ClaimMapping,
    claims: dict[str, Any],
    username: str | None,
    new_oidc: NewOIDC,
) -> None:
    oidc = new_oidc(openid_provider, mappings=ClaimMappings(mapped))

    identity = oidc.authenticate_token(sign(openid_provider, **claims), ())

    assert (identity.user.username if identity else None) == username


def test_groups_uid_and_extra_are_mapped(
    openid_provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    mappings = ClaimMappings(
        username=ClaimMapping("sub", "oidc:"),
        groups=GroupsMapping(
            ClaimMapping("/realm_access/roles", "kc:"), include=("team-*",), exclude=("*-old",)
        ),
        uid=ClaimMapping("oid"),
        extra=(
            ("example.com/tenant", ClaimMapping("tid")),
            ("example.com/none", ClaimMapping("x")),
        ),
    )
    token = sign(
        openid_provider,
        realm_access={"roles": ["team-b", "team-a", "team-old", "other"]},
        oid="42",
        tid="t1",
    )

    identity = new_oidc(openid_provider, mappings=mappings).authenticate_token(token, ())

    assert identity is not None
    assert identity.user == UserInfo(
        "oidc:alice", "42", ("kc:team-a", "kc:team-b"), {"example.com/tenant": ("t1",)}
    )


@pytest.mark.parametrize(
    ("oid", "uid"),
    [("42", "x:42"), (42, "x:42"), (True, None), ("", None), (["42"], None), (None, None)],
    ids=str,
)
def test_a_uid_that_is_mapped_must_be_one(
    openid_provider: OpenIDProvider, oid: object, uid: str | None, new_oidc: NewOIDC
) -> None:
    mappings = ClaimMappings(ClaimMapping("sub"), uid=ClaimMapping("oid", "x:"))
    oidc = new_oidc(openid_provider, mappings=mappings)

    identity = oidc.authenticate_token(sign(openid_provider, oid=oid), ())

    assert (identity.user.uid if identity else None) == uid


def test_a_user_rule_sees_all_of_the_user() -> None:
    user = UserInfo("alice", "42", ("dev",), {"example.com/tenant": ("t1",)})
    told: list[str] = []
    rules = tuple(
        UserRule(Expression(text, Variable.USER, Result.BOOL))
        for text in (
            "user.username == 'alice' && user.uid == '42' && user.groups == ['dev']",
            "user.extra == {'example.com/tenant': ['t1']}",
        )
    )

    check_user(user, rules, lambda check, detail: told.append(f"{check}: {detail}"))

    assert told == [f"user rule: {rule.expression.text} is true" for rule in rules]


@pytest.mark.parametrize(
    ("rule", "passes"),
    [
        (ClaimRule("hd", "example.com"), True),
        (ClaimRule("hd", "example.org"), False),
        (ClaimRule("missing", ""), False),
        (ClaimRule("admin", "true"), True),
        (ClaimRule("missing", "None"), False),
        (ClaimRule("list", "a"), False),
        (ClaimRule("list", "['a']"), False),
        (ClaimRule(expression=Expression("claims.n < 9", Variable.CLAIMS, Result.BOOL)), True),
        (ClaimRule(expression=Expression("claims.n > 9", Variable.CLAIMS, Result.BOOL)), False),
        (ClaimRule(expression=Expression("claims.nn < 9", Variable.CLAIMS, Result.BOOL)), False),
        (ClaimRule(expression=Expression("claims.hd", Variable.CLAIMS, Result.BOOL)), False),
    ],
    ids=str,
)
def test_claim_rules_must_hold(
    openid_provider: OpenIDProvider, rule: ClaimRule, passes: bool, new_oidc: NewOIDC
) -> None:
    oidc = new_oidc(openid_provider, claim_rules=(rule,))
    token = sign(openid_provider, hd="example.com", admin=True, list=["a"], n=5)

    assert (oidc.authenticate_token(token, ()) is not None) is passes


def test_user_rules_and_expressions_are_those_of_kubernetes(
    openid_provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    def expression(text: str, result: Result, variable: Variable = Variable.CLAIMS) -> Expression:
        return Expression(text, variable, result)

    mappings = ClaimMappings(
        username=ClaimMapping(expression=expression("claims.email.split('@')[0]", Result.STRING)),
        groups=GroupsMapping(
            ClaimMapping(expression=expression("claims.groups.map(g, 'x:' + g)", Result.STRINGS))
        ),
    )
    rule = UserRule(
        expression(
            "user.groups.exists(g, g == 'x:dev') && !user.username.startsWith('r')",
            Result.BOOL,
            Variable.USER,
        )
    )
    oidc = new_oidc(openid_provider, mappings=mappings, user_rules=(rule,))

    identity = oidc.authenticate_token(sign(openid_provider, email="al@b", groups=["dev"]), ())
    refused = oidc.authenticate_token(sign(openid_provider, email="root@b", groups=["dev"]), ())
    failed = oidc.authenticate_token(sign(openid_provider, groups=["dev"]), ())
    without_rules = new_oidc(openid_provider, mappings=mappings)
    groupless = without_rules.authenticate_token(sign(openid_provider, email="al@b"), ())

    assert identity is not None
    assert identity.user == UserInfo("al", groups=("x:dev",))
    assert (refused, failed, groupless) == (None, None, None)


@pytest.mark.parametrize(
    ("header", "claims", "taken"),
    [
        ({"typ": "at+jwt"}, {"client_id": "c", "jti": "1"}, True),
        ({"typ": "application/AT+JWT"}, {"client_id": "c", "jti": "1"}, True),
        ({"typ": "JWT"}, {"client_id": "c", "jti": "1"}, False),
        ({"typ": "at+jwt"}, {"client_id": "c"}, False),
    ],
    ids=str,
)
def test_access_tokens_alone_may_be_taken(
    openid_provider: OpenIDProvider,
    header: dict[str, Any],
    claims: dict[str, Any],
    taken: bool,
    new_oidc: NewOIDC,
) -> None:
    oidc = new_oidc(openid_provider, token_type=TokenType.ACCESS_TOKEN)

    identity = oidc.authenticate_token(sign(openid_provider, header=header, **claims), ())

    assert (identity is not None) is taken


def test_an_id_token_is_refused_where_access_tokens_alone_are_taken(
    openid_provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    oidc = new_oidc(openid_provider, token_type=TokenType.ACCESS_TOKEN)
    tokens = openid_provider.grants.authorization_code("alice", resource=RS256)

    assert oidc.authenticate_token(tokens["id_token"], ()) is None
    assert oidc.authenticate_token(tokens["access_token"], ()) is not None


@pytest.mark.parametrize(
    ("vouched", "asked", "bound"),
    [
        ((), (), ()),
        ((), ("vault",), ()),  # not ("vault",): the API server takes it for its own alone
        (("https://api",), ("x", "https://api"), ("https://api",)),
        (("https://api",), ("x",), None),
        (("https://api",), (), ()),
    ],
)
def test_tokens_are_good_for_the_api_servers_that_the_configuration_says(
    openid_provider: OpenIDProvider,
    vouched: tuple[str, ...],
    asked: tuple[str, ...],
    bound: tuple[str, ...] | None,
    new_oidc: NewOIDC,
) -> None:
    oidc = new_oidc(openid_provider, mappings=MAPPINGS, api_audiences=vouched)

    identity = oidc.authenticate_token(sign(openid_provider), asked)

    assert (identity.audiences if identity else None) == bound


def test_an_explanation_tells_each_step_and_never_the_token(
    openid_provider: OpenIDProvider, new_oidc: NewOIDC
) -> None:
    oidc = new_oidc(openid_provider, api_audiences=("https://api",))
    token = sign(openid_provider, groups=["dev"])

    told = oidc.explain(token, ("https://api",))

    assert told.identity is not None
    assert [check.name for check in told.checks] == [
        "route",
        "header",
        "type",
        "signature",
        "issuer",
        "audience",
        "expiry",
        "username",
        "groups",
        "API audiences",
    ]
    assert all(check.passed for check in told.checks)
    assert token not in str(told)
    assert token.rpartition(".")[2] not in str(told)


def test_an_explanation_ends_at_the_check_that_failed(
    openid_provider: OpenIDProvider, oidc: OIDCAuthenticator
) -> None:
    told = oidc.explain(sign(openid_provider, aud="elsewhere"), ())

    assert told.identity is None
    assert told.checks[-1].passed is False
    assert told.checks[-1].name == "audience"
    assert "'elsewhere'" in told.checks[-1].detail


def test_an_explanation_of_anothers_token_ends_with_the_route(
    openid_provider: OpenIDProvider, oidc: OIDCAuthenticator
) -> None:
    told = oidc.explain(sign(openid_provider, iss="https://elsewhere.test"), ())

    assert told.identity is None
    assert [(check.name, check.passed) for check in told.checks] == [("route", False)]
