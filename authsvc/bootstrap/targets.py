"""What each way of running a cluster needs, to run its API server with the flags."""

from __future__ import annotations

from collections.abc import Callable

import yaml

from authsvc.bootstrap import site as names
from authsvc.bootstrap.apiserver import flags, quoted
from authsvc.bootstrap.files import Folder
from authsvc.bootstrap.site import Site, Target
from authsvc.bootstrap.staticpod import IMAGE, static_pod

# The API server sees these two folders, and neither the policy nor anyone's tokens.
_MOUNTED = ("apiserver", "pki")
_MANIFESTS = "/etc/kubernetes/manifests"


def write(folder: Folder, site: Site) -> None:
    """Write the files of the site's target."""
    for name, render in _FILES[site.target].items():
        folder.generated(name, render(site))


def kubeadm_config(site: Site) -> str:
    """Return a ClusterConfiguration (kubeadm.k8s.io/v1beta4, kubeadm >= 1.31)."""
    return f"""\
# A new cluster:      kubeadm init --config {site.on_node(names.KUBEADM_CONFIG)}
# One that runs:      see deploy/README.md, "kubeadm"
# kubeadm leaves --authorization-mode out where --authorization-config is given.
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
{_api_server(site, as_list=True)}"""


def kubeadm_patch(site: Site) -> str:
    """Return a JSON patch (RFC 6902) of kubeadm's static pod, for ``kubeadm … --patches``."""
    mode, *others = sorted(flags(site).items(), key=lambda flag: flag[0] != "authorization-config")
    container = "/spec/containers/0"
    command = f"{container}/command"
    mounts: list[object] = [
        {"name": f"authsvc-{name}", "mountPath": site.on_node(name), "readOnly": True}
        for name in _MOUNTED
    ]
    volumes: list[object] = [
        {
            "name": f"authsvc-{name}",
            "hostPath": {"path": site.on_node(name), "type": "Directory"},
        }
        for name in _MOUNTED
    ]
    operations: list[dict[str, object]] = [
        # kubeadm sorts the flags. Where yours put this one elsewhere, the test
        # fails and kubeadm with it, before anything is changed.
        {"op": "test", "path": f"{command}/3", "value": "--authorization-mode=Node,RBAC"},
        {"op": "replace", "path": f"{command}/3", "value": f"--{mode[0]}={mode[1]}"},
        *(_append(command, f"--{name}={value}") for name, value in others),
        *(_append(f"{container}/volumeMounts", mount) for mount in mounts),
        *(_append("/spec/volumes", volume) for volume in volumes),
    ]
    return (
        "# For `kubeadm … --patches`, where ClusterConfiguration is not to be touched. It has\n"
        "# to be given at every upgrade; kubeadm.yaml does not.\n"
        + yaml.safe_dump(operations, sort_keys=False, width=1000)
    )


def kind_config(site: Site) -> str:
    """Return a kind Cluster: one node that holds the folder and runs authsvc beside the rest."""
    patches = "".join(
        f"  - |\n    apiVersion: kubeadm.k8s.io/{version}\n    kind: ClusterConfiguration\n"
        + _indented(_api_server(site, as_list=as_list), 4)
        # kind >= 0.32 speaks v1beta4 to Kubernetes >= 1.36 and v1beta3 to those
        # before; it applies the one that fits.
        for version, as_list in (("v1beta3", False), ("v1beta4", True))
    )
    return f"""\
# kind create cluster --config {site.folder / names.KIND_CONFIG}
# kind load docker-image {IMAGE}
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  extraMounts:
  - hostPath: {quoted(str(site.folder))}
    containerPath: {quoted(str(site.node_folder))}
    readOnly: true
  - hostPath: {quoted(str(site.folder / names.STATIC_POD))}
    containerPath: {_MANIFESTS}/authsvc.yaml
    readOnly: true
  kubeadmConfigPatches:
{patches}"""


def k3s_config(site: Site) -> str:
    """Return a drop-in for k3s (>= 1.32.4, the first to leave --authorization-mode out)."""
    lines = "\n".join(f"- {quoted(f'{name}={value}')}" for name, value in flags(site).items())
    return f"""\
# Copy to /etc/rancher/k3s/config.yaml.d/authsvc.yaml on each server, restart k3s.
kube-apiserver-arg+:
{lines}
"""


def _append(path: str, value: object) -> dict[str, object]:
    return {"op": "add", "path": f"{path}/-", "value": value}


def _api_server(site: Site, *, as_list: bool) -> str:
    if as_list:
        arguments = "\n".join(
            f"  - name: {name}\n    value: {quoted(value)}" for name, value in flags(site).items()
        )
    else:
        arguments = "\n".join(f"    {name}: {quoted(value)}" for name, value in flags(site).items())
    volumes = "\n".join(
        f"""\
  - name: authsvc-{name}
    hostPath: {quoted(site.on_node(name))}
    mountPath: {quoted(site.on_node(name))}
    readOnly: true
    pathType: Directory"""
        for name in _MOUNTED
    )
    return f"apiServer:\n  extraArgs:\n{arguments}\n  extraVolumes:\n{volumes}\n"


def _indented(text: str, by: int) -> str:
    return "".join(" " * by + line for line in text.splitlines(keepends=True))


_FILES: dict[Target, dict[str, Callable[[Site], str]]] = {
    Target.PLAIN: {},
    Target.KUBEADM: {
        names.KUBEADM_CONFIG: kubeadm_config,
        names.KUBEADM_PATCH: kubeadm_patch,
        names.STATIC_POD: static_pod,
    },
    Target.KIND: {names.KIND_CONFIG: kind_config, names.STATIC_POD: static_pod},
    Target.K3S: {names.K3S_CONFIG: k3s_config},
}
