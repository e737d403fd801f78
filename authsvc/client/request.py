"""What kubectl asks of a credential plugin, and the answer in its words.

The ExecCredential API (client.authentication.k8s.io, v1 and v1beta1):
KUBERNETES_EXEC_INFO comes in by the environment, one ExecCredential goes out
on stdout. Settings come as flags of the user entry's ``exec.args`` and, under
``provideClusterInfo``, from the cluster entry's extension
``client.authentication.k8s.io/exec``; a flag wins. What names a file of this
machine comes as a flag only: who hands out a cluster entry names the server
that kubectl sends the token to, and could have any file sent there.

Read before a cached token is answered: imports nothing that costs, checks only
what it must. The settings' meaning is in ``settings``.
"""

from __future__ import annotations

import json
import time

from authsvc.client.errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GROUP = "client.authentication.k8s.io"
VERSIONS = (f"{GROUP}/v1", f"{GROUP}/v1beta1")

# A flag of the user entry, and its name in the cluster entry's extension.
SETTINGS = {
    "issuer": "issuer",
    "client-id": "clientID",
    "client-secret-file": "clientSecretFile",
    "flow": "flow",
    "scopes": "scopes",
    "audience": "audience",
    "username": "username",
    "token-file": "tokenFile",
    "token-type": "tokenType",
    "redirect-uri": "redirectURI",
    "certificate-authority": "certificateAuthority",
    "certificate-authority-data": "certificateAuthorityData",
    "keyring": "keyring",
    "login-timeout": "loginTimeout",
    "request-timeout": "requestTimeout",
}
_EXTENSION_NAMES = {name: flag for flag, name in SETTINGS.items()}
_FILES = ("client-secret-file", "token-file", "certificate-authority")

# Whose session it is. What is left out says how to get one, not which.
_IDENTIFYING = ("issuer", "client-id", "username", "scopes", "audience", "token-type")


class Request:
    """One question of kubectl's.

    ``values`` are the settings as written, by flag name; ``cluster`` is the
    API server's address, empty where the user entry has no
    ``provideClusterInfo``; ``interactive`` is False where kubectl forbids
    asking a person.
    """

    __slots__ = ("api_version", "cluster", "interactive", "values")

    def __init__(
        self, api_version: str, cluster: str, values: Mapping[str, str], *, interactive: bool
    ) -> None:
        self.api_version = api_version
        self.cluster = cluster
        self.values = values
        self.interactive = interactive

    @property
    def key(self) -> dict[str, str]:
        """What tells this session from others: the cluster, the issuer, the client, the user."""
        identifying = {name: self.values[name] for name in _IDENTIFYING if name in self.values}
        return {"cluster": self.cluster, **identifying}


def read(arguments: Sequence[str], environment: Mapping[str, str]) -> Request:
    """Return what is asked by ``get-token``'s arguments and the environment.

    Raises:
        ClientError: an unknown flag or field, a version that is not spoken.
    """
    text = environment.get("KUBERNETES_EXEC_INFO")
    if not text:
        return from_exec_info({"apiVersion": VERSIONS[0], "spec": {"interactive": True}}, arguments)
    try:
        info = json.loads(text)
    except ValueError:
        info = None
    if not isinstance(info, dict):
        raise ClientError("KUBERNETES_EXEC_INFO is not a JSON object: let kubectl set it")
    return from_exec_info(info, arguments)


def from_exec_info(info: Mapping[str, object], arguments: Sequence[str]) -> Request:
    """Return the request that an ExecCredential object and the flags make.

    Raises:
        ClientError: see ``read``.
    """
    version = info.get("apiVersion")
    if version not in VERSIONS:
        raise ClientError(
            f"asked in apiVersion {version!r}: set exec.apiVersion of the kubeconfig's "
            f"user entry to {VERSIONS[0]}"
        )
    spec = _object(info.get("spec"), "spec")
    cluster = _object(spec.get("cluster"), "spec.cluster")
    values = _extension(_object(cluster.get("config"), "spec.cluster.config"))
    values.update(flags(arguments))
    server = cluster.get("server", "")
    return Request(
        str(version), str(server).rstrip("/"), values, interactive=spec.get("interactive") is True
    )


def flags(arguments: Sequence[str]) -> dict[str, str]:
    """Read ``--name=value`` and ``--name value``.

    Raises:
        ClientError: anything else, or a name that is not a setting.
    """
    values: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or name not in SETTINGS:
            raise ClientError(f"get-token: unknown argument {argument!r}: see get-token --help")
        following = value if equals else next(rest, None)
        if following is None:
            raise ClientError(f"get-token: --{name} needs a value: see get-token --help")
        values[name] = following
    return values


def credential(api_version: str, token: str, expires_at: float | None) -> str:
    """Render the ExecCredential that kubectl reads; ``expires_at`` in seconds since the epoch."""
    status = {"token": token}
    if expires_at is not None:
        status["expirationTimestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires_at))
    return json.dumps({"apiVersion": api_version, "kind": "ExecCredential", "status": status})


def _extension(config: Mapping[str, object]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in config.items():
        if name in ("apiVersion", "kind"):
            continue
        if name not in _EXTENSION_NAMES:
            raise ClientError(f"kubeconfig, extension {GROUP}/exec: unknown field {name!r}")
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            raise ClientError(f"kubeconfig, extension {GROUP}/exec: {name} is not a string")
        flag = _EXTENSION_NAMES[name]
        if flag in _FILES:
            raise ClientError(
                f"kubeconfig, extension {GROUP}/exec: {name} names a file, which a cluster entry "
                f"may not: set --{flag} in exec.args of the user entry"
            )
        values[flag] = str(value)
    return values


def _object(value: object, path: str) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ClientError(f"KUBERNETES_EXEC_INFO: {path} is not an object")
    return value
