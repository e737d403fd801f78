"""What kubeadm, kind and k3s are given."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from authsvc.bootstrap import Target, Wanted, initialise
from authsvc.bootstrap.site import KIND_CONFIG, KUBEADM_CONFIG, KUBEADM_PATCH
from tests.bootstrap.conftest import NOW

# As kubeadm 1.34 writes it, shortened: the flags sorted, the container and its lists.
KUBEADM_POD = """
apiVersion: v1
kind: Pod
metadata: {name: kube-apiserver, namespace: kube-system}
spec:
  hostNetwork: true
  containers:
  - name: kube-apiserver
    image: registry.k8s.io/kube-apiserver:v1.34.0
    command:
    - kube-apiserver
    - --advertise-address=10.0.0.5
    - --allow-privileged=true
    - --authorization-mode=Node,RBAC
    - --client-ca-file=/etc/kubernetes/pki/ca.crt
    volumeMounts:
    - {mountPath: /etc/kubernetes/pki, name: k8s-certs, readOnly: true}
  volumes:
  - {hostPath: {path: /etc/kubernetes/pki, type: DirectoryOrCreate}, name: k8s-certs}
"""


def fill(folder: Path, target: Target) -> None:
    initialise(folder, Wanted(target=target), now=NOW)


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def flags_of(folder: Path) -> dict[str, str]:
    lines = (folder / "apiserver/kube-apiserver.flags").read_text().splitlines()
    return dict(line[2:].split("=", 1) for line in lines if line.startswith("--"))


def test_kubeadm_is_given_the_flags_and_what_they_name(tmp_path: Path) -> None:
    fill(tmp_path, Target.KUBEADM)

    document = read(tmp_path / KUBEADM_CONFIG)

    api_server = document["apiServer"]
    assert document["apiVersion"] == "kubeadm.k8s.io/v1beta4"
    assert {each["name"]: each["value"] for each in api_server["extraArgs"]} == flags_of(tmp_path)
    mounted = [volume["mountPath"] for volume in api_server["extraVolumes"]]
    assert mounted == [str(tmp_path / "apiserver"), str(tmp_path / "pki")]
    assert all(volume["readOnly"] for volume in api_server["extraVolumes"])


def test_the_patch_turns_kubeadms_pod_into_one_that_asks(tmp_path: Path, kubectl: Path) -> None:
    fill(tmp_path / "authsvc", Target.KUBEADM)
    pod = tmp_path / "pod.yaml"
    pod.write_text(KUBEADM_POD)

    patched = patch(kubectl, pod, tmp_path / "authsvc" / KUBEADM_PATCH)

    spec = yaml.safe_load(patched.stdout)["spec"]
    (container,) = spec["containers"]
    assert {f"--{k}={v}" for k, v in flags_of(tmp_path / "authsvc").items()} <= set(
        container["command"]
    )
    assert not any(each.startswith("--authorization-mode") for each in container["command"])
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"]}
    assert mounts == volumes
    assert mounts["authsvc-pki"] == str(tmp_path / "authsvc/pki")


def test_the_patch_refuses_a_pod_that_it_does_not_know(tmp_path: Path, kubectl: Path) -> None:
    fill(tmp_path / "authsvc", Target.KUBEADM)
    pod = tmp_path / "pod.yaml"
    pod.write_text(KUBEADM_POD.replace("- --allow", "- --a=b\n    - --allow"))

    patched = patch(kubectl, pod, tmp_path / "authsvc" / KUBEADM_PATCH)

    assert patched.returncode != 0


def patch(kubectl: Path, pod: Path, patch_file: Path) -> subprocess.CompletedProcess[str]:
    files: list[str | Path] = ["-f", pod, "--patch-file", patch_file]
    return subprocess.run(
        [kubectl, "patch", "--local", "--type=json", *files, "-o", "yaml"],
        check=False,
        capture_output=True,
        text=True,
    )


def test_kind_is_given_the_folder_the_pod_and_a_patch_for_either_kubeadm(tmp_path: Path) -> None:
    fill(tmp_path, Target.KIND)

    (node,) = read(tmp_path / KIND_CONFIG)["nodes"]

    places = {mount["hostPath"]: mount["containerPath"] for mount in node["extraMounts"]}
    assert places == {
        str(tmp_path): "/etc/kubernetes/authsvc",
        str(tmp_path / "static-pod/authsvc.yaml"): "/etc/kubernetes/manifests/authsvc.yaml",
    }
    old, new = (yaml.safe_load(patch) for patch in node["kubeadmConfigPatches"])
    assert old["apiVersion"].endswith("v1beta3")
    assert old["apiServer"]["extraArgs"] == flags_of(tmp_path)
    assert new["apiVersion"].endswith("v1beta4")
    assert {e["name"]: e["value"] for e in new["apiServer"]["extraArgs"]} == flags_of(tmp_path)
    assert old["apiServer"]["extraVolumes"] == new["apiServer"]["extraVolumes"]


def test_in_a_kind_node_every_path_is_the_nodes(tmp_path: Path) -> None:
    fill(tmp_path, Target.KIND)

    paths = [value for value in flags_of(tmp_path).values() if value.startswith("/")]
    pod = read(tmp_path / "static-pod/authsvc.yaml")
    authorizers = read(tmp_path / "apiserver/authorization-config.yaml")["authorizers"]
    paths += [
        pod["spec"]["containers"][0]["args"][-1],
        pod["spec"]["volumes"][0]["hostPath"]["path"],
        authorizers[1]["webhook"]["connectionInfo"]["kubeConfigFile"],
    ]

    assert all(path.startswith("/etc/kubernetes/authsvc") for path in paths)


def test_k3s_is_given_a_drop_in_that_adds_to_what_is_there(tmp_path: Path) -> None:
    fill(tmp_path, Target.K3S)

    document = read(tmp_path / "apiserver/k3s.yaml")

    assert list(document) == ["kube-apiserver-arg+"]
    arguments = dict(each.split("=", 1) for each in document["kube-apiserver-arg+"])
    assert arguments == flags_of(tmp_path)


@pytest.mark.parametrize("target", [Target.KUBEADM, Target.KIND])
def test_the_static_pod_gives_away_nothing_it_does_not_need(tmp_path: Path, target: Target) -> None:
    fill(tmp_path, target)

    spec = read(tmp_path / "static-pod/authsvc.yaml")["spec"]

    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    mounts = {mount["name"]: mount.get("readOnly") for mount in container["volumeMounts"]}
    assert mounts["authsvc"] is True
