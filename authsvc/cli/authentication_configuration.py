"""``authsvc config authentication-configuration``: for an API server that verifies JWTs itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from authsvc.authn.oidc.settings import OIDCSettings


@click.command(
    "authentication-configuration",
    short_help="Print the OIDC part as the API server's.",
    epilog="Example: authsvc config authentication-configuration authsvc.yaml > authn.yaml",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def authentication_configuration(file: Path) -> None:
    """Print the API server's AuthenticationConfiguration for the OIDC authenticators of FILE.

    With it (--authentication-config) the API server verifies their tokens by
    itself, to the same users; authsvc is asked about all other tokens.
    """
    from authsvc.authn.oidc.settings import OIDCSettings
    from authsvc.config import load
    from authsvc.errors import ConfigError, InvalidConfigurationError

    authenticators = load(file).authentication.authenticators
    issuers = [
        named.settings for named in authenticators if isinstance(named.settings, OIDCSettings)
    ]
    enriched = [
        ConfigError(f"authenticator {named.name}", "the API server has no enrichment")
        for named in authenticators
        if isinstance(named.settings, OIDCSettings) and named.enrichment is not None
    ]
    if enriched:
        raise InvalidConfigurationError(enriched)
    if not issuers:
        message = "there is no authenticator of type OIDC"
        raise InvalidConfigurationError([ConfigError("authentication.authenticators", message)])
    click.echo(_render(issuers), nl=False)


def starter(issuer: str, audiences: tuple[str, ...]) -> str:
    """Return an AuthenticationConfiguration to begin with, of the usual claims.

    Raises:
        InvalidConfigurationError: the API server would refuse it.
    """
    from authsvc.authn.claims import ClaimMapping, ClaimMappings, GroupsMapping
    from authsvc.authn.oidc.settings import OIDCSettings

    mappings = ClaimMappings(
        ClaimMapping("sub", "oidc:"), GroupsMapping(ClaimMapping("groups", "oidc:"))
    )
    return _STARTER + _render([OIDCSettings(issuer, audiences, mappings)])


_STARTER = """\
# With this the API server verifies the tokens of the issuer by itself, and authsvc
# is asked about all other tokens. It takes the place of every --oidc-… flag:
#   --authentication-config=…/authentication-config.yaml
# Before Kubernetes 1.34, write apiserver.config.k8s.io/v1beta1.
#
# The user name is what the issuer never gives to someone else. An e-mail address is
# more readable; then also require claims.email_verified (claimValidationRules).
"""


def _render(issuers: Iterable[OIDCSettings]) -> str:
    import yaml

    from authsvc.authn.oidc import apiserver

    document = apiserver.authentication_configuration(issuers)
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
