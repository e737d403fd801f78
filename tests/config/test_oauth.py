"""OAuth providers in the configuration file: the examples load, and errors have their places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from joserfc.jwk import ECKey

from authsvc.authn.checks import Refused
from authsvc.authn.claims import ClaimMapping, ClaimRule, GroupsMapping, map_user
from authsvc.authn.forge.settings import GitHubSettings, GitLabSettings
from authsvc.authn.introspection.settings import ClientMethod, IntrospectionSettings
from authsvc.authn.oidc.apiserver import authentication_configuration
from authsvc.authn.oidc.settings import OIDCSettings
from authsvc.config import load
from authsvc.errors import InvalidConfigurationError
from authsvc.interfaces import UserInfo
from authsvc.service import build
from tests.parts.certificates import Authority

EXAMPLES = Path(__file__).parents[2] / "config" / "oidc"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.yaml"))


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    """Put files in place that a configuration may name."""
    authority = Authority(tmp_path, "dex-ca")
    authority.certificate.rename(tmp_path / "dex-ca.crt")
    key = ECKey.generate_key("P-256").as_bytes(encoding="PEM", private=True)
    (tmp_path / "authsvc-client.key").write_bytes(key)
    for name in ("ldap-password", "secret"):
        (tmp_path / name).write_text("secret\n", encoding="ascii")


def load_document(folder: Path, *authenticators: dict[str, Any]) -> Any:
    document = {
        "apiVersion": "config.authsvc.io/v1alpha1",
        "kind": "AuthsvcConfiguration",
        "authentication": {"authenticators": list(authenticators)},
    }
    file = folder / "authsvc.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load(file).authentication.authenticators[0].settings


def errors_of(folder: Path, *authenticators: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidConfigurationError) as refused:
        load_document(folder, *authenticators)
    prefix = "authentication.authenticators"
    return {error.path.removeprefix(prefix): error.message for error in refused.value.errors}


def oidc(**changes: Any) -> dict[str, Any]:
    settings = {
        "issuer": {"url": "https://sso.example.com", "audiences": ["kubernetes"]},
        "claimMappings": {"username": {"claim": "sub", "prefix": ""}},
        **changes,
    }
    return {"name": "sso", "type": "OIDC", "oidc": settings}


@pytest.mark.parametrize("name", NAMES)
def test_each_example_makes_a_service(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text((EXAMPLES / name).read_text(encoding="utf-8"), encoding="utf-8")

    service = build(load(file))
    service.close()

    assert service.configuration.authentication.authenticators


def test_there_is_an_example_for_each_provider_of_the_readme() -> None:
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")

    assert all(f"({name})" in readme for name in NAMES)


def test_everything_of_an_oidc_provider_reaches_its_settings(tmp_path: Path) -> None:
    settings = load_document(
        tmp_path,
        oidc(
            issuer={
                "url": "https://sso.example.com",
                "audiences": ["a", "b"],
                "audienceMatchPolicy": "MatchAny",
                "discoveryURL": "https://inside.example.com/discovery",
                "certificateAuthority": "PEM",
            },
            claimMappings={
                "username": {"claim": "email", "prefix": "x:"},
                "groups": {"claim": "/a/b", "prefix": "", "include": ["i*"], "exclude": ["e"]},
                "uid": {"claim": "oid"},
                "extra": [{"key": "example.com/t", "claim": "tid"}],
            },
            claimValidationRules=[{"claim": "hd", "requiredValue": "v"}],
            apiAudiences=["https://api"],
            signingAlgorithms=["ES256"],
            tokenType="AccessToken",
            clockSkew="1m",
            refreshInterval="10m",
            http={"proxyURL": "http://proxy.example.com:3128", "timeout": "2s"},
        ),
    )

    assert isinstance(settings, OIDCSettings)
    assert settings.audiences == ("a", "b")
    assert settings.discovery_url == "https://inside.example.com/discovery"
    assert settings.mappings.username == ClaimMapping("email", "x:")
    assert settings.mappings.groups == GroupsMapping(ClaimMapping("/a/b"), ("i*",), ("e",))
    assert settings.mappings.extra == (("example.com/t", ClaimMapping("tid")),)
    assert settings.claim_rules == (ClaimRule("hd", "v"),)
    assert settings.api_audiences == ("https://api",)
    assert settings.algorithms == ("ES256",)
    assert (settings.clock_skew, settings.refresh_interval) == (60.0, 600.0)
    assert settings.http.proxy == "http://proxy.example.com:3128"
    assert (settings.http.ca_data, settings.http.timeout) == ("PEM", 2.0)


def test_a_pointer_to_a_claim_at_the_top_is_that_claim_with_all_that_holds_for_it(
    tmp_path: Path,
) -> None:
    mappings = {
        "username": {"claim": "/email", "prefix": ""},
        "groups": {"claim": "/groups", "prefix": ""},
        "uid": {"claim": "/a~1b"},
    }

    settings = load_document(tmp_path, oidc(claimMappings=mappings))

    def made_of(**claims: object) -> UserInfo:
        known = {"email": "a@b", "a/b": "7", **claims}
        return map_user(known, settings.mappings, lambda *_: None)

    assert made_of(groups="dev") == UserInfo("a@b", "7", ("dev",))
    with pytest.raises(Refused, match="email_verified"):
        made_of(email_verified=False)
    with pytest.raises(Refused, match="_claim_names"):
        made_of(_claim_names={"groups": "src1"})


def test_expressions_of_kubernetes_documentation_are_taken_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "authsvc.yaml"
    file.write_text((EXAMPLES / "expressions.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    given = yaml.safe_load(file.read_text(encoding="utf-8"))
    settings = load(file).authentication.authenticators[0].settings
    assert isinstance(settings, OIDCSettings)

    (jwt,) = authentication_configuration([settings])["jwt"]

    theirs = given["authentication"]["authenticators"][0]["oidc"]
    assert jwt["claimMappings"] == theirs["claimMappings"]
    assert jwt["claimValidationRules"][:-1] == theirs["claimValidationRules"]
    assert jwt["userValidationRules"][:1] == theirs["userValidationRules"]


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"issuer": {"url": "http://sso.example.com", "audiences": ["k"]}}, "issuer.url", "https"),
        ({"issuer": {"url": "https://sso", "audiences": []}}, "issuer.audiences", "at least one"),
        ({"issuer": {"url": "https://sso", "audiences": [""]}}, "issuer.audiences", "empty"),
        ({"issuer": {"audiences": ["k"]}}, "issuer.url", "required"),
        ({"issuer": {"url": "https://x", "audiences": ["k"], "a": 1}}, "issuer.a", "unknown"),
        ({"claimMappings": {}}, "claimMappings.username", "required"),
        (
            {"claimMappings": {"username": {"claim": "sub"}}},
            "claimMappings.username.prefix",
            "required with claim",
        ),
        (
            {"claimMappings": {"username": {"claim": "a", "expression": "claims.a"}}},
            "claimMappings.username",
            "either claim or expression",
        ),
        ({"claimMappings": {"username": {}}}, "claimMappings.username", "either"),
        (
            {"claimMappings": {"username": {"claim": "/a~b", "prefix": ""}}},
            "claimMappings.username.claim",
            "JSON Pointer",
        ),
        (
            {"claimMappings": {"username": {"expression": "claims.sub +"}}},
            "claimMappings.username.expression",
            "Syntax error",
        ),
        (
            {"claimMappings": {"username": {"expression": "user.name"}}},
            "claimMappings.username.expression",
            "undeclared reference",
        ),
        (
            {"claimMappings": {"username": {"expression": "size(claims)"}}},
            "claimMappings.username.expression",
            "not in a string",
        ),
        (
            {"claimMappings": {"username": {"expression": "claims.email"}}},
            "claimMappings.username.expression",
            "email_verified",
        ),
        (
            {"claimMappings": {"username": {"expression": "claims['email']"}}},
            "claimMappings.username.expression",
            "email_verified",
        ),
        (
            {"claimMappings": {"username": {"expression": 'claims[?"email"].orValue("x")'}}},
            "claimMappings.username.expression",
            "email_verified",
        ),
        (
            {"claimMappings": {"username": {"claim": "sub", "prefix": "system:"}}},
            "claimMappings.username.prefix",
            "names the control plane",
        ),
        (
            {"claimValidationRules": [{"expression": "claims.sub + 'x'"}]},
            "claimValidationRules[0].expression",
            "not in a boolean",
        ),
        ({"claimValidationRules": [{}]}, "claimValidationRules[0]", "either"),
        (
            {"userValidationRules": [{"expression": "claims.sub == 'x'"}]},
            "userValidationRules[0].expression",
            "undeclared reference",
        ),
        ({"userValidationRules": [{}]}, "userValidationRules[0].expression", "required"),
        ({"signingAlgorithms": ["HS256"]}, "signingAlgorithms[0]", "expected one of"),
        ({"signingAlgorithms": ["none"]}, "signingAlgorithms[0]", "expected one of"),
        ({"signingAlgorithms": []}, "signingAlgorithms", "at least one"),
        ({"clockSkew": "10"}, "clockSkew", "duration"),
        ({"http": {"caFile": "missing"}}, "http.caFile", "no such file"),
        ({"http": {"clientCertFile": "secret"}}, "http", "belong together"),
        ({"http": {"proxyURL": "socks5://x"}}, "http.proxyURL", "HTTP proxy"),
        ({"http": {"proxyURL": "http://u:p@x"}}, "http.proxyURL", "into a file"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_error_has_its_place(
    tmp_path: Path, changes: dict[str, Any], place: str, message: str
) -> None:
    errors = errors_of(tmp_path, oidc(**changes))

    assert list(errors) == [f"[0].oidc.{place}"]
    assert message in errors[f"[0].oidc.{place}"]
    assert "u:p" not in str(errors)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"http://u:canary@x:8080 \n", "HTTP proxy"),
        (b"canary", "HTTP proxy"),
        (b"\n", "/proxy: empty"),
        (b"http://u:canary\xff@x", "/proxy: not UTF-8"),
    ],
    ids=repr,
)
def test_what_is_wrong_with_a_proxys_file_is_said_without_what_is_in_it(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "proxy").write_bytes(content)

    errors = errors_of(tmp_path, oidc(http={"proxyURLFile": "proxy"}))

    assert list(errors) == ["[0].oidc.http.proxyURLFile"]
    assert message in str(errors)
    assert "canary" not in str(errors)


def test_a_proxys_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "proxy").write_text("http://u:p@x:8080\r\n", encoding="utf-8")

    settings = load_document(tmp_path, oidc(http={"proxyURLFile": "proxy"}))

    assert settings.http.proxy == "http://u:p@x:8080"


@pytest.mark.parametrize("key", ["tenant", "Example.com/t", "k8s.io/x", "a.kubernetes.io/x"])
def test_a_key_in_extra_is_as_kubernetes_wants_it(tmp_path: Path, key: str) -> None:
    mappings = {
        "username": {"claim": "sub", "prefix": ""},
        "extra": [{"key": key, "claim": "tid"}],
    }

    assert list(errors_of(tmp_path, oidc(claimMappings=mappings))) == [
        "[0].oidc.claimMappings.extra[0].key"
    ]


INTROSPECTION: dict[str, Any] = {
    "url": "https://sso.example.com/introspect",
    "client": {"id": "authsvc", "secretFile": "secret"},
    "audiences": ["kubernetes"],
    "claimMappings": {"username": {"claim": "sub", "prefix": ""}},
}


def introspection(**changes: Any) -> dict[str, Any]:
    settings = {**INTROSPECTION, **changes}
    return {"name": "x", "type": "OAuth2Introspection", "oauth2Introspection": settings}


def test_everything_of_an_introspection_reaches_its_settings(tmp_path: Path) -> None:
    settings = load_document(
        tmp_path,
        introspection(
            clientIDs=["kubectl"],
            requiredScopes=["kube"],
            userinfoURL="https://sso.example.com/me",
            tokenPrefixes=["t_"],
            issuers=["https://sso.example.com"],
        ),
    )

    assert isinstance(settings, IntrospectionSettings)
    assert settings.client.method is ClientMethod.BASIC
    assert settings.client.file == tmp_path / "secret"
    assert (settings.client_ids, settings.required_scopes) == (("kubectl",), ("kube",))
    assert settings.userinfo_url == "https://sso.example.com/me"
    assert (settings.token_prefixes, settings.issuers) == (("t_",), ("https://sso.example.com",))


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"audiences": []}, "", "audiences or clientIDs"),
        ({"url": "http://sso.example.com"}, ".url", "https"),
        ({"userinfoURL": "ftp://x"}, ".userinfoURL", "https"),
        ({"tokenPrefixes": [""]}, ".tokenPrefixes", "empty"),
        ({"client": {"id": "a"}}, ".client.secretFile", "required"),
        (
            {"client": {"id": "a", "method": "PrivateKeyJWT"}},
            ".client.privateKeyFile",
            "required",
        ),
        (
            {"client": {"id": "a", "secretFile": "secret", "privateKeyFile": "secret"}},
            ".client.privateKeyFile",
            "does not belong",
        ),
        (
            {"client": {"id": "a", "method": "TLSClientCertificate"}},
            ".http.clientCertFile",
            "required",
        ),
        ({"client": {"id": "a", "secretFile": "none"}}, ".client.secretFile", "no such file"),
    ],
    ids=str,
)
def test_an_error_of_an_introspection_has_its_place(
    tmp_path: Path, changes: dict[str, Any], place: str, message: str
) -> None:
    errors = errors_of(tmp_path, introspection(**changes))

    assert list(errors) == [f"[0].oauth2Introspection{place}"]
    assert message in next(iter(errors.values()))


def test_forges_need_an_organisation_or_group(tmp_path: Path) -> None:
    github = {"name": "gh", "type": "GitHub", "github": {"organizations": []}}
    gitlab = {"name": "gl", "type": "GitLab", "gitlab": {"groups": [""], "tokenPrefixes": []}}

    assert list(errors_of(tmp_path, github, gitlab)) == [
        "[0].github.organizations",
        "[1].gitlab.groups",
        "[1].gitlab.tokenPrefixes",
    ]


def test_forges_have_their_usual_mappings_unless_given(tmp_path: Path) -> None:
    usual = load_document(
        tmp_path, {"name": "gh", "type": "GitHub", "github": {"organizations": ["acme"]}}
    )
    mappings = {"username": {"claim": "id", "prefix": "x:"}}
    given = load_document(
        tmp_path,
        {
            "name": "gl",
            "type": "GitLab",
            "gitlab": {"groups": ["acme"], "claimMappings": mappings},
        },
    )

    assert isinstance(usual, GitHubSettings)
    assert usual.mappings.username == ClaimMapping("login", "github:")
    assert isinstance(given, GitLabSettings)
    assert given.mappings.username == ClaimMapping("id", "x:")
    assert given.mappings.groups is None


@pytest.mark.parametrize("named", ["sso", "nobody", "tokens"])
def test_enrichment_names_another_authenticator_that_knows_people(
    tmp_path: Path, named: str
) -> None:
    (tmp_path / "tokens.csv").write_text("", encoding="ascii")
    tokens = {"name": "tokens", "type": "StaticTokens", "staticTokens": {"file": "tokens.csv"}}

    errors = errors_of(tmp_path, {**oidc(), "enrichment": {"authenticator": named}}, tokens)

    assert list(errors) == ["[0].enrichment.authenticator"]
