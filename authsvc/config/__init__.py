"""The versioned component configuration: a file in, settings out.

``load`` is all that the rest needs. A wire version is a package of its own
(``v1alpha1``) whose structs convert to ``model``; parts keep their settings
with themselves and their wire form in a module of each version.
"""

from __future__ import annotations

from pathlib import Path

from authsvc.config import v1alpha1
from authsvc.config.model import Configuration
from authsvc.decoding.structs import Place, decode
from authsvc.decoding.yaml_text import read_yaml
from authsvc.errors import ConfigError, InvalidConfigurationError

KIND = "AuthsvcConfiguration"
VERSIONS = {v1alpha1.API_VERSION: v1alpha1.AuthsvcConfiguration}


def load(file: Path, *, unneeded: str = "") -> Configuration:
    """Read a configuration file.

    ``unneeded`` is the field of what the caller makes, or does without
    (``issuer.keys``): that it is not there is no error.

    Raises:
        InvalidConfigurationError: every error of the file, each with its place.
    """
    file = file.absolute()
    document = read_yaml(file)
    if not isinstance(document, dict):
        message = (
            "empty; `authsvc init` writes a first one" if document is None else "expected a mapping"
        )
        raise InvalidConfigurationError([ConfigError(str(file), message)])
    wire = VERSIONS.get(str(document.get("apiVersion")))
    if wire is None or document.get("kind") != KIND:
        expected = (("apiVersion", tuple(VERSIONS)), ("kind", (KIND,)))
        raise InvalidConfigurationError(
            ConfigError(field, f"expected {' or '.join(known)}, got {_said(document, field)}")
            for field, known in expected
            if document.get(field) not in known
        )
    at = Place(file.parent)
    decoded = decode(wire, document, at)
    configuration = decoded.to_configuration(file, at) if decoded else None
    errors = [error for error in at.errors if error.path != unneeded]
    if errors or configuration is None:
        raise InvalidConfigurationError(errors or at.errors)
    return configuration


def _said(document: dict[str, object], field: str) -> str:
    return repr(document[field]) if field in document else "nothing"
