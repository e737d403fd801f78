"""``config.authsvc.io/v1alpha1``: the wire form of the configuration file.

Every default stands here, once. A field's docstring-like comment in
config/authsvc.yaml is its reference; `authsvc config schema` is its form.
"""

from __future__ import annotations

from pathlib import Path

from authsvc.config.decode import Place, Wire
from authsvc.config.model import Configuration
from authsvc.config.v1alpha1.authentication import Authentication
from authsvc.config.v1alpha1.authorization import Authorization
from authsvc.config.v1alpha1.logging import Logging
from authsvc.config.v1alpha1.server import Server

API_VERSION = "config.authsvc.io/v1alpha1"


class AuthsvcConfiguration(Wire, frozen=True):
    """The whole file."""

    api_version: str = API_VERSION
    kind: str = "AuthsvcConfiguration"
    server: Server = Server()
    authentication: Authentication = Authentication()
    authorization: Authorization = Authorization()
    logging: Logging = Logging()

    def to_configuration(self, file: Path, at: Place) -> Configuration:
        """Convert to the internal model; errors are recorded at ``at``."""
        return Configuration(
            file=file,
            server=self.server.to_settings(at.field("server")),
            authentication=self.authentication.to_settings(at.field("authentication")),
            authorization=self.authorization.to_settings(at.field("authorization")),
            logging=self.logging.to_settings(at.field("logging")),
        )
