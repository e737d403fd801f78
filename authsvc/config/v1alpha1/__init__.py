"""``config.authsvc.io/v1alpha1``: the wire form of the configuration file.

Every default of a file stands here. Settings have the same ones for whoever
makes them without a file: tests/config/test_defaults.py holds the two together.
What each field means is in config/README.md, which a test compares with this.
"""

from __future__ import annotations

from pathlib import Path

from authsvc.config.model import Configuration, Engine
from authsvc.config.v1alpha1.authentication import Authentication
from authsvc.config.v1alpha1.authorization import Authorization
from authsvc.config.v1alpha1.issuer import Issuer
from authsvc.config.v1alpha1.logging import Logging
from authsvc.config.v1alpha1.server import Server
from authsvc.config.v1alpha1.store import Store
from authsvc.decoding.structs import Place, Wire

API_VERSION = "config.authsvc.io/v1alpha1"

# A proxy that sets the one lets the other through, and Granian makes one of both.
_NO_PROXIES = (
    "engine Granian takes a client's X_Forwarded_For for a proxy's X-Forwarded-For: remove this"
    " line, or take engine Gunicorn"
)


# Logins would work, and every token that comes of them would be nobody's. It is not
# put in silently: the order of the authenticators is the file's to say.
_NOBODYS = (
    "issuer's tokens would be nobody's without an authenticator of type Issued:"
    " add `- {name: issued, type: Issued}`"
)


class AuthsvcConfiguration(Wire, frozen=True):
    """The whole file."""

    api_version: str = API_VERSION
    kind: str = "AuthsvcConfiguration"
    server: Server = Server()
    authentication: Authentication = Authentication()
    authorization: Authorization = Authorization()
    logging: Logging = Logging()
    store: Store | None = None
    issuer: Issuer | None = None

    def to_configuration(self, file: Path, at: Place) -> Configuration:
        """Convert to the internal model; errors are recorded at ``at``."""
        issuer, store = self.issuer, self.store
        types = self.authentication.types()
        if issuer is not None and store is None:
            at.field("store").error("required by issuer, which keeps its sessions there")
        if store is None and "LDAP" in types.values() and self.server.workers > 1:
            message = "required by type LDAP with several workers, to count failed passwords as one"
            at.field("store").error(message)
        if issuer is None and "Issued" in types.values():
            at.field("issuer").error("required by an authenticator of type Issued")
        chain = at.field("authentication").field("authenticators")
        if issuer is not None and "Issued" not in types.values() and not chain.has_errors():
            chain.error(_NOBODYS)
        if issuer is not None and issuer.trusted_proxies and self.server.engine is Engine.GRANIAN:
            at.field("issuer").field("trustedProxies").error(_NO_PROXIES)
        return Configuration(
            file=file,
            server=self.server.to_settings(at.field("server")),
            authentication=self.authentication.to_settings(at.field("authentication")),
            authorization=self.authorization.to_settings(at.field("authorization")),
            logging=self.logging.to_settings(at.field("logging")),
            store=None if store is None else store.to_settings(at.field("store")),
            issuing=None if issuer is None else issuer.to_settings(at.field("issuer"), types),
        )
