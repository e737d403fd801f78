"""Which providers could call two people by one name."""

from __future__ import annotations

import pytest

from authsvc.authn.claims import ClaimMapping, ClaimMappings
from authsvc.authn.enrichment_settings import EnrichmentSettings
from authsvc.authn.expressions import Expression, Result, Variable
from authsvc.authn.forge.settings import GitHubSettings, GitLabSettings, mappings
from authsvc.authn.oidc.settings import OIDCSettings
from authsvc.config.model import NamedAuthenticator
from authsvc.config.naming import SharedNames, shared_names


def oidc(name: str, prefix: str, enrichment: str = "") -> NamedAuthenticator:
    settings = OIDCSettings("https://id.test", ("k",), ClaimMappings(ClaimMapping("sub", prefix)))
    return NamedAuthenticator(
        name, settings, EnrichmentSettings(enrichment) if enrichment else None
    )


@pytest.mark.parametrize("prefix", ["", "corp:"])
def test_two_providers_with_one_prefix_are_told(prefix: str) -> None:
    found = shared_names([oidc("a", prefix), oidc("b", prefix), oidc("c", "other:")])

    assert found == [SharedNames(prefix, ("a", "b"))]
    assert "user names of a and b" in str(found[0])


def test_providers_with_prefixes_of_their_own_are_not() -> None:
    forges = [
        NamedAuthenticator("github", GitHubSettings(("acme",))),
        NamedAuthenticator("gitlab", GitLabSettings(("acme",))),
    ]

    assert shared_names([oidc("a", ""), oidc("b", "b:"), *forges]) == []


def test_a_forge_whose_prefix_was_taken_away_is_told() -> None:
    github = GitHubSettings(("acme",), mappings=mappings("login", ""))

    found = shared_names([oidc("a", ""), NamedAuthenticator("github", github)])

    assert found == [SharedNames("", ("a", "github"))]


def test_a_provider_and_the_directory_that_enriches_it_are_about_the_same_people() -> None:
    assert shared_names([oidc("corp", ""), oidc("sso", "", enrichment="corp")]) == []


def test_names_that_an_expression_makes_are_not_guessed_at() -> None:
    made = Expression("'x:' + claims.sub", Variable.CLAIMS, Result.STRING)
    settings = OIDCSettings("https://id.test", ("k",), ClaimMappings(ClaimMapping(expression=made)))

    assert shared_names([oidc("a", ""), NamedAuthenticator("b", settings)]) == []
