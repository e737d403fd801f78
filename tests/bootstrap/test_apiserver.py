"""What the API server and kubectl read: kubeconfigs, authorizers, JWT issuers, flags."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from authsvc.bootstrap import Files, Review, Target, Wanted, initialise, render
from authsvc.errors import ConfigError
from tests.bootstrap.conftest import NOW


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize(
    ("review", "url"),
    [
        ("authentication", "https://auth.example.com:8443/authenticate"),
        ("authorization", "https://auth.example.com:8443/authorize"),
    ],
)
def test_kubectl_reads_a_kubeconfig_with_the_exact_url_and_the_files(
    tmp_path: Path, kubectl: Path, review: str, url: str
) -> None:
    initialise(tmp_path, Wanted(hosts=("auth.example.com",)), now=NOW)
    file = tmp_path / f"apiserver/{review}.kubeconfig"

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [kubectl, "--kubeconfig", file, *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout

    view = json.loads(run("config", "view", "--raw", "--flatten", "-o", "json"))

    assert run("config", "get-contexts", "-o", "name") == "authsvc\n"
    cluster, user = view["clusters"][0]["cluster"], view["users"][0]["user"]
    assert cluster["server"] == url
    # --flatten embeds the files: kubectl found each of them beside the kubeconfig.
    for held, name in (
        (cluster["certificate-authority-data"], "ca.crt"),
        (user["client-certificate-data"], "apiserver-client.crt"),
        (user["client-key-data"], "apiserver-client.key"),
    ):
        assert base64.b64decode(held) == (tmp_path / "pki" / name).read_bytes()


def test_the_files_find_each_other_wherever_the_folder_is_copied_to(
    site: Path, tmp_path: Path, kubectl: Path
) -> None:
    moved = site.rename(tmp_path / "moved")

    subprocess.run(
        [kubectl, "config", "view", "--flatten", "--raw"],
        env={"KUBECONFIG": str(moved / "apiserver/authorization.kubeconfig")},
        check=True,
        capture_output=True,
    )


def test_a_kubeconfig_may_hold_everything_itself(site: Path) -> None:
    pki = site / "pki"
    files = Files(
        *(str(pki / n) for n in ("ca.crt", "apiserver-client.crt", "apiserver-client.key"))
    )

    document = yaml.safe_load(render(Review.AUTHENTICATION, "https://a", files, embed=True))

    user = document["users"][0]["user"]
    assert set(user) == {"client-certificate-data", "client-key-data"}
    assert base64.b64decode(user["client-key-data"]) == (pki / "apiserver-client.key").read_bytes()


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("https://a", "https://a/authorize"),
        ("https://a:1/", "https://a:1/authorize"),
        ("https://[::1]:8443", "https://[::1]:8443/authorize"),
        ("https://gateway/authsvc/authorize", "https://gateway/authsvc/authorize"),
    ],
)
def test_the_path_of_the_review_is_added_where_there_is_none(server: str, url: str) -> None:
    document = yaml.safe_load(render(Review.AUTHORIZATION, server, Files("a", "b", "c")))

    assert document["clusters"][0]["cluster"]["server"] == url


@pytest.mark.parametrize(
    "server", ["http://a", "a:8443", "https://", "https://u:p@a", "https://a?b", "https://a:x"]
)
def test_a_server_that_is_no_https_url_is_refused(server: str) -> None:
    with pytest.raises(ConfigError, match="not an https URL"):
        render(Review.AUTHORIZATION, server, Files("a", "b", "c"))


def test_authsvc_is_asked_between_node_and_rbac_and_locks_nobody_out(site: Path) -> None:
    document = read(site / "apiserver/authorization-config.yaml")

    assert document["apiVersion"] == "apiserver.config.k8s.io/v1"
    assert [each["type"] for each in document["authorizers"]] == ["Node", "Webhook", "RBAC"]
    webhook = document["authorizers"][1]["webhook"]
    assert webhook["failurePolicy"] == "NoOpinion"
    assert webhook["subjectAccessReviewVersion"] == "v1"
    kubeconfig = Path(webhook["connectionInfo"]["kubeConfigFile"])
    assert kubeconfig == site / "apiserver/authorization.kubeconfig"
    conditions = " ".join(each["expression"] for each in webhook["matchConditions"])
    for spared in (
        *("system:nodes", "system:bootstrappers", "system:serviceaccounts:kube-system"),
        *("system:kube-scheduler", "system:kube-controller-manager", "kubeadm:cluster-admins"),
        *("/livez", "/readyz", "/healthz"),
    ):
        assert f"'{spared}'" in conditions


def test_the_components_of_k3s_are_spared_where_there_is_k3s(tmp_path: Path) -> None:
    initialise(tmp_path, Wanted(target=Target.K3S), now=NOW)

    assert (
        "'system:k3s-controller'" in (tmp_path / "apiserver/authorization-config.yaml").read_text()
    )


def test_the_flags_name_files_that_are_there(site: Path) -> None:
    lines = (site / "apiserver/kube-apiserver.flags").read_text().splitlines()
    flags = dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    files = [Path(value) for value in flags.values() if value.startswith("/")]
    assert len(files) == 2
    assert all(file.is_file() for file in files)
    assert "--authorization-mode" not in flags
