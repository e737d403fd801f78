"""``authsvc config authentication-configuration`` prints what an API server reads."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from authsvc.cli import group
from authsvc.errors import InvalidConfigurationError

EXAMPLES = Path(__file__).parents[2] / "config" / "oidc"


def test_each_oidc_authenticator_becomes_a_jwt_entry() -> None:
    done = CliRunner().invoke(
        group, ["config", "authentication-configuration", str(EXAMPLES / "google.yaml")]
    )

    assert done.exit_code == 0, done.output
    (jwt,) = yaml.safe_load(done.output)["jwt"]
    assert jwt["issuer"]["url"] == "https://accounts.google.com"
    assert jwt["claimMappings"]["username"] == {"claim": "email", "prefix": "google:"}
    assert jwt["claimValidationRules"][0] == {"claim": "hd", "requiredValue": "example.com"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ((EXAMPLES / "keycloak.yaml").read_text(encoding="utf-8"), "no globs"),
        ("apiVersion: config.authsvc.io/v1alpha1\nkind: AuthsvcConfiguration\n", "type OIDC"),
        (
            (EXAMPLES / "enrichment.yaml").read_text(encoding="utf-8"),
            "authenticator google: the API server has no enrichment",
        ),
    ],
    ids=["globs", "none", "enrichment"],
)
def test_what_the_api_server_cannot_do_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "ldap-password").write_text("x", encoding="ascii")
    file = tmp_path / "authsvc.yaml"
    file.write_text(text, encoding="utf-8")

    done = CliRunner().invoke(group, ["config", "authentication-configuration", str(file)])

    assert isinstance(done.exception, InvalidConfigurationError)
    assert message in str(done.exception)
