"""``authsvc config authentication-configuration``: for an API server that verifies JWTs itself."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    "authentication-configuration",
    epilog="Example: authsvc config authentication-configuration authsvc.yaml > authn.yaml",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def authentication_configuration(file: Path) -> None:
    """Print the API server's AuthenticationConfiguration for the OIDC authenticators of FILE.

    With it (--authentication-config) the API server verifies their tokens by
    itself, to the same users; authsvc is asked about all other tokens.
    """
    import yaml

    from authsvc.authn.oidc import apiserver
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
    document = apiserver.authentication_configuration(issuers)
    click.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)
