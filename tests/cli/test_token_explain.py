"""``authsvc token explain`` tells why, and never the token."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.authn.oidc import sign
from tests.parts.openid_provider import OPAQUE, RS256, NewOpenIDProvider, OpenIDProvider


@pytest.fixture
def config(openid_provider: OpenIDProvider, tmp_path: Path) -> Path:
    return configure(tmp_path, openid_provider.issuer)


def configure(folder: Path, issuer: str) -> Path:
    (folder / "tokens.csv").write_text('static-token,robot,,"dev"\n', encoding="ascii")
    mappings = {
        "username": {"claim": "sub", "prefix": "sso:"},
        "groups": {"claim": "groups", "prefix": ""},
    }
    document = {
        "apiVersion": "config.authsvc.io/v1alpha1",
        "kind": "AuthsvcConfiguration",
        "authentication": {
            "authenticators": [
                {"name": "other", "type": "OIDC", "oidc": _oidc("https://other.test", mappings)},
                {"name": "sso", "type": "OIDC", "oidc": _oidc(issuer, mappings)},
                {"name": "tokens", "type": "StaticTokens", "staticTokens": {"file": "tokens.csv"}},
            ]
        },
    }
    file = folder / "authsvc.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return file


def _oidc(issuer: str, mappings: dict[str, dict[str, str]]) -> dict[str, object]:
    return {
        "issuer": {"url": issuer, "audiences": ["kubernetes"]},
        "claimMappings": mappings,
        "apiAudiences": ["https://api"],
    }


def explain(config: Path, token: str, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "authsvc", "token", "explain", "--config", config, *arguments],
        input=token + "\n",
        check=False,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr
    output = done.stdout + done.stderr
    assert token not in output
    assert token.rpartition(".")[2] not in output
    return done.returncode, output


def test_a_good_token_is_told_with_every_check_and_its_user(
    openid_provider: OpenIDProvider, config: Path
) -> None:
    token = openid_provider.grants.authorization_code("mallory", resource=RS256)["access_token"]

    status, told = explain(config, token, "--audience", "https://api")

    assert status == 0
    assert "other: leaves it, for its issuer is" in told
    assert "sso: takes it, for its issuer is" in told
    assert "  ok  signature: " in told
    assert "  ok  system: names: dropped the groups system:masters" in told
    assert "authenticated by sso:\n  username:  sso:mallory\n" in told
    assert "  groups:    dev\n" in told
    assert "  audiences: https://api\n" in told
    assert '"client_id": "kubectl"' in told


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "elsewhere"}, "  NO  audience: it is for 'elsewhere', not ['kubernetes']"),
        ({"exp": 1}, "  NO  expiry: expired "),
        ({"sub": None}, "  NO  username: claim sub is None, not a name"),
    ],
)
def test_a_refused_token_is_told_with_the_check_that_failed(
    openid_provider: OpenIDProvider, config: Path, claims: dict[str, Any], reason: str
) -> None:
    status, told = explain(config, sign(openid_provider, **claims))

    assert status == 1
    assert reason in told
    assert (
        "tokens: takes it, for it looks at every token\n  NO  token: it does not know it\n" in told
    )
    assert told.endswith("refused: no authenticator knows the token\n")


def test_another_api_audience_is_told(openid_provider: OpenIDProvider, config: Path) -> None:
    status, told = explain(config, sign(openid_provider), "--audience", "https://not-ours")

    assert status == 1
    assert "  NO  API audiences: asked for ['https://not-ours']" in told


def test_a_provider_that_is_down_is_no_verdict(
    new_openid_provider: NewOpenIDProvider, tmp_path: Path
) -> None:
    provider = new_openid_provider()
    config = configure(tmp_path, provider.issuer)
    provider.stop()

    status, told = explain(config, sign(provider))

    assert status == 2
    assert "  ??  provider: " in told
    assert told.endswith("unknown: no authenticator knows the token, and one could not answer\n")


def test_an_opaque_token_is_told_by_its_shape(
    openid_provider: OpenIDProvider, config: Path
) -> None:
    token = openid_provider.grants.authorization_code("alice", resource=OPAQUE)["access_token"]

    status, told = explain(config, token)

    assert status == 1
    assert told.startswith("the token is an opaque token\n")


def test_what_a_token_says_does_not_move_the_terminal(
    openid_provider: OpenIDProvider, config: Path
) -> None:
    _, told = explain(config, sign(openid_provider, sub="\x9b2J\x1b[2J", iss="\x9b31m"))

    assert "\x9b" not in told
    assert "\x1b" not in told


def test_an_answer_is_for_the_audiences_that_the_service_vouches_for(tmp_path: Path) -> None:
    config = configure(tmp_path, "https://sso.test")
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    document["authentication"]["audiences"] = ["https://kube"]
    config.write_text(yaml.safe_dump(document), encoding="utf-8")

    status, told = explain(config, "static-token", "--audience", "https://kube")
    refused, why = explain(config, "static-token", "--audience", "https://not-ours")

    assert status == 0
    assert "  audiences: https://kube\n" in told
    assert refused == 1
    assert "  NO  API audiences: asked for ['https://not-ours'], good for ['https://kube']" in why
    assert why.endswith("refused: no authenticator is asked\n")


def test_what_is_too_long_for_a_token_is_nobodys(config: Path) -> None:
    status, told = explain(config, "x" * 20_000)

    assert status == 1
    assert "tokens:\n  NO  token: it is longer than 16384 bytes\n" in told


def test_an_empty_token_is_a_usage_error(config: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "authsvc", "token", "explain", "--config", config],
        input="",
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
