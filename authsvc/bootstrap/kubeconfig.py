"""The kubeconfigs by which an API server finds and trusts the service."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from authsvc.errors import ConfigError


class Review(Enum):
    """The two questions, and the path that answers each."""

    AUTHENTICATION = "/authenticate"
    AUTHORIZATION = "/authorize"


@dataclass(frozen=True, slots=True)
class Files:
    """The CA, and the client's certificate and key, as paths.

    A kubeconfig's own folder is what relative paths in it are relative to, for
    kubectl and the API server alike; and the API server reads named files again
    when they change, which data embedded in a kubeconfig it does not.
    """

    ca: str
    client_certificate: str
    client_key: str


_EXAMPLE = "https://10.0.0.5:8443"

# As they lie to each other in what `authsvc init` writes: wherever the whole
# folder is copied to, they still find each other.
BESIDE = Files("../pki/ca.crt", "../pki/apiserver-client.crt", "../pki/apiserver-client.key")


def render(review: Review, server: str, files: Files, *, embed: bool = False) -> str:
    """Return a kubeconfig for one review; ``server`` is the service's https URL.

    Raises:
        ConfigError: not an https URL; with ``embed``, a file that cannot be read.
    """
    cluster = {
        "server": review_url(review, server),
        **_field("certificate-authority", files.ca, embed),
    }
    user = {
        **_field("client-certificate", files.client_certificate, embed),
        **_field("client-key", files.client_key, embed),
    }
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "authsvc", "cluster": cluster}],
            "users": [{"name": "kube-apiserver", "user": user}],
            "contexts": [
                {"name": "authsvc", "context": {"cluster": "authsvc", "user": "kube-apiserver"}}
            ],
            "current-context": "authsvc",
        },
        sort_keys=False,
        width=1000,
    )


def review_url(review: Review, server: str) -> str:
    """Return the exact URL of a review; a server URL that has a path already keeps it.

    Raises:
        ConfigError: not an https URL.
    """
    problem = ConfigError("--server", f"{server!r} is not an https URL such as {_EXAMPLE}")
    try:
        parts = urlsplit(server)
        _ = parts.port  # raises where it is no number
    except ValueError:
        raise problem from None
    if parts.scheme != "https" or not parts.hostname or parts.username:
        raise problem
    if parts.query or parts.fragment:
        raise problem
    return server if parts.path.strip("/") else server.rstrip("/") + review.value


def _field(name: str, path: str, embed: bool) -> dict[str, str]:
    if not embed:
        return {name: path}
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(path, (error.strerror or "cannot be read").lower()) from None
    return {f"{name}-data": base64.b64encode(content).decode()}
