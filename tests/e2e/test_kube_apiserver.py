"""Users of a real API server get what the policy says, and administrators are never locked out."""

from __future__ import annotations

import json
import ssl
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPSConnection
from urllib.parse import urlsplit

import pytest
import yaml

from authsvc.bootstrap import initialise
from tests.e2e.conftest import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("kube-apiserver")]

GRANT_TO_VIEWERS = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: look}
rules: [{apiGroups: [""], resources: [pods, secrets], verbs: [get, list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: look}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: look}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: rbac-viewers}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: repair}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: kubeadm:cluster-admins}
"""


@pytest.fixture(scope="module", autouse=True)
def _granted(cluster: Cluster) -> None:
    for namespace in ("team-a", "team-b"):
        assert cluster.kubectl("admin-token", "create", "namespace", namespace).code == 0
    made = cluster.kubectl("admin-token", "create", "-f", "-", stdin=GRANT_TO_VIEWERS)
    assert made.code == 0, made.err


def test_a_token_becomes_the_user_and_groups_of_its_row(cluster: Cluster) -> None:
    answer = cluster.kubectl("alice-token", "auth", "whoami", "-o", "json")

    user = json.loads(answer.out)["status"]["userInfo"]
    assert user["username"] == "alice"
    assert user["uid"] == "1001"
    assert user["groups"] == ["team-a", "system:authenticated"]


def test_an_unknown_token_is_nobodys(cluster: Cluster) -> None:
    answer = cluster.kubectl("unknown-token", "auth", "whoami")

    assert answer.code != 0
    assert "must be logged in" in answer.err or "Unauthorized" in answer.err


def test_a_row_cannot_make_anyone_a_master(cluster: Cluster) -> None:
    answer = cluster.kubectl("mallory-token", "get", "nodes")

    assert answer.code != 0


def test_a_role_holds_where_it_was_given(cluster: Cluster) -> None:
    made = cluster.kubectl("alice-token", "-n", "team-a", "create", "configmap", "mine")
    listed = cluster.kubectl("alice-token", "-n", "team-a", "get", "configmaps", "-o", "name")
    elsewhere = cluster.kubectl("alice-token", "-n", "team-b", "get", "configmaps")
    everywhere = cluster.kubectl("alice-token", "get", "configmaps", "-A")

    assert made.code == 0, made.err
    assert "configmap/mine\n" in listed.out
    assert "Forbidden" in elsewhere.err
    assert "Forbidden" in everywhere.err


def test_curl_with_a_token_gets_what_kubectl_gets(cluster: Cluster) -> None:
    def status(namespace: str) -> str:
        url = f"{cluster.url}/api/v1/namespaces/{namespace}/pods"
        header = "Authorization: Bearer alice-token"
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"]
        return subprocess.run(
            [*command, cluster.ca, "-H", header, url], check=True, capture_output=True, text=True
        ).stdout

    assert (status("team-a"), status("team-b")) == ("200", "403")


def test_a_deny_is_told_with_its_row_and_overrides_rbac(cluster: Cluster) -> None:
    pods = cluster.kubectl("intern-token", "-n", "team-a", "get", "pods")
    secrets = cluster.kubectl("intern-token", "-n", "team-a", "get", "secrets")

    # RBAC alone would allow both.
    assert pods.code == 0, pods.err
    assert "Forbidden" in secrets.err
    assert "team.csv:2" in secrets.err


@pytest.mark.parametrize("terms", [4_000, 100_000], ids=["large", "too large to read"])
def test_a_deny_binds_whatever_the_length_of_a_selector(cluster: Cluster, terms: int) -> None:
    url = urlsplit(cluster.url)
    selector = ",".join(["!a"] * terms)
    context = ssl.create_default_context(cafile=cluster.ca)
    connection = HTTPSConnection(url.hostname or "", url.port, context=context, timeout=60)
    with closing(connection):
        connection.request(
            "GET",
            f"/api/v1/namespaces/team-a/secrets?labelSelector={selector}",
            headers={"Authorization": "Bearer intern-token"},
        )
        answer = connection.getresponse()
        message = json.loads(answer.read())["message"]

    assert answer.status == 403, message
    assert ("team.csv:2" if terms < 10_000 else "what is asked is over") in message


def test_what_the_policy_does_not_know_is_left_to_rbac(cluster: Cluster) -> None:
    answer = cluster.kubectl("carol-token", "-n", "team-b", "get", "secrets")

    assert answer.code == 0, answer.err


def test_kubectl_auth_can_i_asks_the_same_policy(cluster: Cluster) -> None:
    yes = cluster.kubectl("alice-token", "auth", "can-i", "delete", "pods", "-n", "team-a")
    no = cluster.kubectl("alice-token", "auth", "can-i", "delete", "pods", "-n", "team-b")

    assert (yes.out.strip(), no.out.strip()) == ("yes", "no")


@pytest.mark.parametrize(
    ("user", "group"),
    [
        ("system:node:n1", "system:nodes"),
        ("system:kube-scheduler", "any"),
        ("system:kube-controller-manager", "any"),
        ("system:serviceaccount:kube-system:job", "system:serviceaccounts:kube-system"),
        ("x", "system:bootstrappers"),
        ("x", "kubeadm:cluster-admins"),
    ],
)
def test_the_control_plane_and_break_glass_administrators_are_never_asked_about(
    cluster: Cluster, user: str, group: str
) -> None:
    secrets = {"verb": "get", "resource": "secrets", "namespace": "team-a"}

    asked = cluster.review(user="x", groups=["interns"], resourceAttributes=secrets)
    spared = cluster.review(user=user, groups=[group, "interns"], resourceAttributes=secrets)

    assert asked["denied"]
    assert not spared.get("denied")


def test_nobody_is_asked_about_the_probes(cluster: Cluster) -> None:
    probe = cluster.review(user="a", nonResourceAttributes={"verb": "get", "path": "/livez/etcd"})
    other = cluster.review(user="a", nonResourceAttributes={"verb": "get", "path": "/livezz"})

    with cluster.without_authsvc():
        unasked = cluster.review(
            user="b", nonResourceAttributes={"verb": "get", "path": "/livez/etcd"}
        )
        asked = cluster.review(user="b", nonResourceAttributes={"verb": "get", "path": "/livezz"})

    assert probe == other == unasked == {"allowed": False}
    assert "evaluationError" in asked


def test_a_request_without_groups_is_decided(cluster: Cluster) -> None:
    # An absent list of groups must not be an error of the match conditions.
    status = cluster.review(user="nobody", nonResourceAttributes={"verb": "get", "path": "/x"})

    assert status == {"allowed": False}


def test_a_changed_policy_is_live_without_a_restart(cluster: Cluster) -> None:
    policy = cluster.site / "policy/later.csv"
    # Each time another name: the API server remembers what it was told for 30 s.
    names = (f"pod-{number}" for number in range(1000))

    def allowed() -> bool:
        attributes = {"verb": "get", "resource": "pods", "namespace": "team-b", "name": next(names)}
        return bool(cluster.review(user="dave", resourceAttributes=attributes)["allowed"])

    assert not allowed()
    policy.write_text("p, user:dave, team-b, pods, *, get, allow\n")
    try:
        wait_for(allowed)
    finally:
        policy.unlink()
    wait_for(lambda: not allowed())


def test_without_authsvc_rbac_decides_and_administrators_repair(cluster: Cluster) -> None:
    with cluster.without_authsvc():
        carol = cluster.kubectl("carol-token", "-n", "team-b", "get", "pods")
        repair = cluster.kubectl("repair-token", "-n", "team-a", "delete", "configmaps", "--all")
        bob = cluster.kubectl("bob-token", "auth", "whoami")

    assert carol.code == 0, carol.err
    assert repair.code == 0, repair.err
    assert bob.code != 0
    wait_for(lambda: cluster.kubectl("bob-token", "auth", "whoami").code == 0)


def test_renewed_certificates_are_taken_without_a_restart(cluster: Cluster) -> None:
    certificate = cluster.site / "pki/server.crt"
    certificate.unlink()
    initialise(cluster.site)
    address = urlsplit(cluster.authsvc_url)
    assert address.hostname
    assert address.port
    place = (address.hostname, address.port)

    wait_for(lambda: ssl.get_server_certificate(place).strip() == certificate.read_text().strip())

    with cluster.without_authsvc():
        pass  # so that the API server has to connect anew
    wait_for(lambda: cluster.kubectl("alice-token", "-n", "team-a", "get", "pods").code == 0)


def test_authsvc_is_taken_out_without_a_restart_by_one_edit(cluster: Cluster) -> None:
    file = cluster.site / "apiserver/authorization-config.yaml"
    before = file.read_text()
    document = yaml.safe_load(before)
    document["authorizers"] = [
        each for each in document["authorizers"] if each["name"] != "authsvc"
    ]
    secrets = {"verb": "get", "resource": "secrets", "namespace": "team-a"}
    names = (f"secret-{number}" for number in range(1000))

    def denied() -> bool:
        asked = cluster.review(
            user="x", groups=["interns"], resourceAttributes={**secrets, "name": next(names)}
        )
        return bool(asked.get("denied"))

    file.write_text(yaml.safe_dump(document))
    try:
        wait_for(lambda: not denied())
        # The edit is the administrator's: another init leaves it.
        initialise(cluster.site)
        assert yaml.safe_load(file.read_text()) == document
    finally:
        file.write_text(before)
    wait_for(denied)


def test_no_token_is_in_any_log(cluster: Cluster) -> None:
    assert cluster.kubectl("alice-token", "auth", "whoami").code == 0

    log = cluster.authsvc.log.read_text()
    assert "alice" in log
    assert "alice-token" not in log


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.2)
