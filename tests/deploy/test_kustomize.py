"""The kustomize base and the folder of one cluster, rendered by kubectl itself."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from authsvc import __version__
from authsvc.bootstrap import Wanted, initialise

DEPLOY = Path(__file__).parents[2] / "deploy"

Objects = dict[str, dict[str, Any]]


def render(kubectl: Path, folder: Path) -> Objects:
    done = subprocess.run(
        [kubectl, "kustomize", folder], check=True, capture_output=True, text=True
    )
    assert done.stderr == ""
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in documents(done.stdout)}


def documents(text: str) -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load_all(text)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a cluster after ``authsvc init``, as its first lines say to."""
    copy = tmp_path_factory.mktemp("deploy") / "kustomize"
    shutil.copytree(DEPLOY / "kustomize", copy)
    folder = copy / "cluster"
    place = PurePosixPath("/etc/kubernetes/authsvc")
    initialise(folder, Wanted(hosts=("10.96.0.84",), node_folder=place))
    return folder


@pytest.fixture(scope="module")
def cluster(kubectl: Path, filled: Path) -> Objects:
    return render(kubectl, filled)


@pytest.fixture(scope="module")
def pod(cluster: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = cluster["Deployment/authsvc"]["spec"]["template"]["spec"]
    return spec


def test_the_base_renders_by_itself_and_holds_no_secret(kubectl: Path) -> None:
    base = render(kubectl, DEPLOY / "kustomize/base")

    kinds = {name.split("/")[0] for name in base}
    assert kinds == {
        *("Namespace", "ServiceAccount", "ConfigMap", "Secret", "Deployment"),
        *("Service", "PodDisruptionBudget", "NetworkPolicy"),
    }
    held = [each.get("data") or {} for name, each in base.items() if name.startswith("Secret/")]
    assert [value for data in held for value in data.values() if value] == []


def test_everything_is_in_its_namespace(cluster: Objects) -> None:
    namespaces = {
        each["metadata"].get("namespace")
        for name, each in cluster.items()
        if "Namespace/" not in name
    }

    assert namespaces == {"authsvc"}


def test_the_pod_is_restricted(cluster: Objects, pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]

    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    labels = cluster["Namespace/authsvc"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]
    assert all(mount["readOnly"] for mount in container["volumeMounts"] if mount["name"] != "tmp")


def test_a_pod_that_stops_is_given_the_time_it_takes(pod: dict[str, Any]) -> None:
    from authsvc.config.v1alpha1.server import Server
    from authsvc.decoding.structs import seconds

    (container,) = pod["containers"]
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]

    assert pod["terminationGracePeriodSeconds"] > before + seconds(Server().stop_timeout)


def test_probes_ask_without_a_certificate_what_the_service_answers(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    paths = {
        probe: container[probe]["httpGet"]["path"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }

    assert paths == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }


def test_what_selects_the_pods_matches_them(cluster: Objects) -> None:
    deployment = cluster["Deployment/authsvc"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    selectors = [
        deployment["selector"]["matchLabels"],
        cluster["Service/authsvc"]["spec"]["selector"],
        deployment["template"]["spec"]["topologySpreadConstraints"][0]["labelSelector"][
            "matchLabels"
        ],
    ]

    assert all(selector.items() <= labels.items() and selector for selector in selectors)
    # No selector at all would guard nothing (policy/v1: an absent one selects no pod).
    assert cluster["PodDisruptionBudget/authsvc"]["spec"]["selector"]["matchLabels"]
    assert cluster["PodDisruptionBudget/authsvc"]["spec"]["minAvailable"] < deployment["replicas"]


def test_what_the_configuration_names_is_mounted(
    cluster: Objects, pod: dict[str, Any], filled: Path
) -> None:
    (config,) = [
        each for name, each in cluster.items() if name.startswith("ConfigMap/authsvc-conf")
    ]
    document = yaml.safe_load(config["data"]["authsvc.yaml"])
    (container,) = pod["containers"]
    sources = {
        volume["name"]: cluster[f"ConfigMap/{volume['configMap']['name']}"]["data"]
        if "configMap" in volume
        else cluster[f"Secret/{volume['secret']['secretName']}"]["data"]
        for volume in pod["volumes"]
        if "emptyDir" not in volume
    }
    there = {
        f"{mount['mountPath']}/{key}"
        for mount in container["volumeMounts"]
        for key in sources.get(mount["name"], {})
    }

    tls = document["server"]["tls"]
    (tokens,) = document["authentication"]["authenticators"]
    named = {tls["certFile"], tls["keyFile"], tls["clientCAFile"], tokens["staticTokens"]["file"]}
    assert named <= there
    assert container["args"][-1] in there
    folder = document["authorization"]["policy"]["folder"]
    assert {f"{folder}/{path.name}" for path in (filled / "policy").iterdir()} <= there


def test_the_configuration_in_the_cluster_is_one_that_the_service_knows(
    cluster: Objects, filled: Path, tmp_path: Path
) -> None:
    from authsvc.config import load

    (config,) = [
        each for name, each in cluster.items() if name.startswith("ConfigMap/authsvc-conf")
    ]
    text: str = config["data"]["authsvc.yaml"]
    for mounted, here in (
        ("/etc/authsvc/pki/", f"{filled}/pki/"),
        ("/etc/authsvc/tokens/", f"{filled}/"),
        ("/etc/authsvc/policy", f"{filled}/policy"),
    ):
        text = text.replace(mounted, here)
    (tmp_path / "authsvc.yaml").write_text(text)

    assert load(tmp_path / "authsvc.yaml").server.bind == "0.0.0.0:8443"


def test_the_pods_hold_the_servers_key_and_not_the_cas(cluster: Objects, filled: Path) -> None:
    data = cluster["Secret/authsvc-pki"]["data"]

    assert set(data) == {"ca.crt", "server.crt", "server.key"}
    assert base64.b64decode(data["server.key"]) == (filled / "pki/server.key").read_bytes()


def test_the_service_has_the_address_that_its_certificate_and_the_api_server_know(
    cluster: Objects, filled: Path
) -> None:
    address = cluster["Service/authsvc"]["spec"]["clusterIP"]

    kubeconfig = yaml.safe_load((filled / "apiserver/authentication.kubeconfig").read_text())
    port = cluster["Service/authsvc"]["spec"]["ports"][0]["port"]
    assert kubeconfig["clusters"][0]["cluster"]["server"] == (
        f"https://{address}:{port}/authenticate"
    )


def test_the_network_policy_lets_reviews_in_and_nothing_at_the_metadata_service(
    cluster: Objects,
) -> None:
    spec = cluster["NetworkPolicy/authsvc"]["spec"]

    assert spec["ingress"] == [{"ports": [{"port": "https"}]}]
    blocks = [to["ipBlock"] for rule in spec["egress"] for to in rule.get("to", [])]
    assert any("169.254.0.0/16" in block["except"] for block in blocks)


def test_policy_and_tokens_keep_their_names_so_that_pods_follow_them(cluster: Objects) -> None:
    assert {"ConfigMap/authsvc-policy", "Secret/authsvc-tokens", "Secret/authsvc-pki"} <= set(
        cluster
    )


def test_the_image_is_this_version(pod: dict[str, Any]) -> None:
    assert pod["containers"][0]["image"] == f"authsvc:{__version__}"
