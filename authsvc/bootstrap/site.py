"""Where a service will run and how an API server reaches it: asked for, or remembered.

A second run repeats the first without being told everything again: what is not
given is read off the files that are there. There is no record beside them that
could disagree.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, urlsplit

import yaml

from authsvc.bootstrap import beneath, material
from authsvc.errors import ConfigError

DEFAULT_PORT = 8443
LOOPBACK_HOST = "127.0.0.1"

# Below apiserver/ in the folder.
AUTHENTICATION_KUBECONFIG = "apiserver/authentication.kubeconfig"
AUTHORIZATION_KUBECONFIG = "apiserver/authorization.kubeconfig"
AUTHORIZATION_CONFIG = "apiserver/authorization-config.yaml"
AUTHENTICATION_CONFIG = "apiserver/authentication-config.yaml"
FLAGS = "apiserver/kube-apiserver.flags"
KUBEADM_CONFIG = "apiserver/kubeadm.yaml"
KUBEADM_PATCH = "apiserver/patches/kube-apiserver0+json.yaml"
KIND_CONFIG = "apiserver/kind.yaml"
K3S_CONFIG = "apiserver/k3s.yaml"
STATIC_POD = "static-pod/authsvc.yaml"

# A kind node is a container of its own: the folder lies at the usual place there.
_USUAL_PLACE = PurePosixPath("/etc/kubernetes/authsvc")

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_DNS_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?", re.IGNORECASE)


class Target(Enum):
    """What runs the API server."""

    PLAIN = "plain"
    KUBEADM = "kubeadm"
    KIND = "kind"
    K3S = "k3s"


@dataclass(frozen=True, slots=True)
class Site:
    """Everything the files are rendered from.

    ``folder`` is where the files are written; ``node_folder`` where the same
    files lie on the control-plane node; ``owner`` the user and group ids that
    the folder belongs to.
    """

    target: Target
    hosts: tuple[str, ...]
    port: int
    folder: Path
    node_folder: PurePosixPath
    owner: tuple[int, int]

    @property
    def url(self) -> str:
        """The service as the API server reaches it: the first host, or loopback."""
        return f"https://{_bracketed(self.hosts[0] if self.hosts else LOOPBACK_HOST)}:{self.port}"

    @property
    def bind(self) -> str:
        """The listener: loopback, unless the service is to be reached from elsewhere."""
        if all(is_loopback(host) for host in self.hosts):
            return f"{LOOPBACK_HOST}:{self.port}"
        if any(":" in host for host in self.hosts):
            return f"[::]:{self.port}"
        return f"0.0.0.0:{self.port}"

    @property
    def runs_as_pod(self) -> bool:
        """Whether the service runs in a static pod, which cannot write the folder."""
        return self.target in {Target.KUBEADM, Target.KIND}

    def on_node(self, name: str) -> str:
        """Return where a file of the folder lies on the control-plane node."""
        return str(self.node_folder / name)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; None is "as it is, else the usual"."""

    hosts: tuple[str, ...] | None = None
    target: Target | None = None
    port: int | None = None
    node_folder: PurePosixPath | None = None


def resolve(folder: Path, owner: tuple[int, int], wanted: Wanted) -> Site:
    """Complete what was asked for by what is there.

    Raises:
        ConfigError: a host that is none, a path that is not absolute.
    """
    folder = folder.absolute()
    target = wanted.target or _present_target(folder)
    present = _present_url(folder)
    hosts = wanted.hosts
    if hosts is None:
        asked = (present.hostname,) if present and present.hostname else ()
        hosts = (*asked, *material.present_hosts(folder))
    node_folder = _node_folder(folder, target, wanted.node_folder)
    for option, path in (("--dir", folder), ("--node-dir", node_folder)):
        if not str(path).isprintable():  # it stands in comments, where nothing can be escaped
            raise ConfigError(option, f"{str(path)!r} cannot be written into the files")
    return Site(
        target=target,
        hosts=tuple(dict.fromkeys(_check_host(host) for host in hosts)),
        port=wanted.port or (present.port if present else None) or DEFAULT_PORT,
        folder=folder,
        node_folder=node_folder,
        owner=owner,
    )


def _node_folder(folder: Path, target: Target, wanted: PurePosixPath | None) -> PurePosixPath:
    if wanted is not None:
        if not wanted.is_absolute():
            raise ConfigError("--node-dir", f"{wanted}: must be an absolute path")
        return wanted
    present = _present_node_folder(folder)
    if present is not None:
        return present
    return _USUAL_PLACE if target is Target.KIND else PurePosixPath(folder)


def _present_target(folder: Path) -> Target:
    for name, target in (
        (KIND_CONFIG, Target.KIND),
        (K3S_CONFIG, Target.K3S),
        (KUBEADM_CONFIG, Target.KUBEADM),
    ):
        if (folder / name).exists():
            return target
    return Target.PLAIN


def _present_url(folder: Path) -> SplitResult | None:
    match present_yaml(folder / AUTHENTICATION_KUBECONFIG):
        case {"clusters": [{"cluster": {"server": str(server)}}, *_]}:
            try:
                url = urlsplit(server)
                _ = url.port  # raises where it is no number
            except ValueError:
                return None
            return url
    return None


def present_url(folder: Path) -> str | None:
    """Return where the API server of an earlier run is told to ask; None where there is none."""
    url = _present_url(folder)
    return None if url is None else f"{url.scheme}://{url.netloc}"


def _present_node_folder(folder: Path) -> PurePosixPath | None:
    document = present_yaml(folder / AUTHORIZATION_CONFIG)
    authorizers = document.get("authorizers") if isinstance(document, dict) else None
    for authorizer in authorizers if isinstance(authorizers, list) else ():
        match authorizer:
            case {"name": "authsvc", "webhook": {"connectionInfo": {"kubeConfigFile": str(path)}}}:
                return PurePosixPath(path).parent.parent
    return None


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine alone."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def present_yaml(path: Path) -> object:
    """Return a YAML file of an earlier run; None where there is none that can be read."""
    try:
        return yaml.safe_load(beneath.read_plain(path).decode())
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _check_host(host: str) -> str:
    address = _address(host)
    if address is not None:
        return str(address)
    if not _DNS_NAME.fullmatch(host) or len(host) > 253:
        raise ConfigError(
            "--host", f"{host!r} is neither a DNS name nor an IP address (no scheme, no port)"
        )
    return host.lower().rstrip(".")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
