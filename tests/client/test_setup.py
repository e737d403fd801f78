"""`kubectl authsvc setup` with the real kubectl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from authsvc.client.kubeconfig import INSTALL_HINT
from tests.client.conftest import Person
from tests.client.servers import APIServer


def _config(alice: Person, *options: str) -> dict[str, Any]:
    shown = alice.kubectl("config", "view", "--raw", "-o", "json", *options)
    config = json.loads(shown.stdout)
    assert isinstance(config, dict)
    return config


class TestSetup:
    """`kubectl authsvc setup`."""

    def test_writes_a_user_entry_that_says_all_that_kubectl_needs(self, alice: Person) -> None:
        done = alice.kubectl("authsvc", "setup", "--issuer=https://a.test", "--scopes=openid a,b")

        assert done.returncode == 0, done.stderr
        assert "run this again with --context=NAME --cluster=CLUSTER" in done.stderr
        assert _config(alice)["users"][0] == {
            "name": "authsvc@a.test",
            "user": {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "command": "kubectl-authsvc",
                    "args": ["get-token", "--issuer=https://a.test", "--scopes=openid a,b"],
                    "env": None,
                    "installHint": INSTALL_HINT,
                    "interactiveMode": "IfAvailable",
                    "provideClusterInfo": True,
                }
            },
        }
        assert (alice.home / ".kube" / "config").stat().st_mode & 0o777 == 0o600

    def test_leaves_everything_else_in_the_kubeconfig_as_it_was(self, alice: Person) -> None:
        alice.kubeconfig("https://cluster.test", extension={"issuer": "https://a.test"})
        before = _config(alice)

        alice.kubectl("authsvc", "setup", "--name=new")

        after = _config(alice)
        assert [user["name"] for user in after["users"]] == ["alice", "new"]
        assert {**after, "users": None} == {**before, "users": None}
        assert after["users"][0] == before["users"][0]

    def test_run_again_replaces_the_entry(self, alice: Person) -> None:
        for settings in (["--scopes=openid"], ["--username=alice"]):
            alice.kubectl("authsvc", "setup", "--issuer=https://a.test", *settings)

        (user,) = _config(alice)["users"]
        assert user["user"]["exec"]["args"][1:] == ["--issuer=https://a.test", "--username=alice"]

    def test_a_second_cluster_leaves_the_login_at_the_first_as_it_is(self, alice: Person) -> None:
        for cluster in ("prod", "stage"):
            alice.kubectl("config", "set-cluster", cluster, f"--server=https://{cluster}.test:6443")
        setup = ("authsvc", "setup")
        alice.kubectl(*setup, "--issuer=https://a.test:1", "--context=prod", "--cluster=prod")
        before = _config(alice)

        done = alice.kubectl(
            *setup, "--issuer=https://b.test/realm/", "--context=stage", "--cluster=stage"
        )

        after = _config(alice)
        assert done.returncode == 0, done.stderr
        assert before["contexts"][0] in after["contexts"]
        assert before["users"][0] in after["users"]
        assert [user["name"] for user in after["users"]] == [
            "authsvc@a.test:1",
            "authsvc@b.test/realm",
        ]
        assert "context 'stage': cluster 'stage', user 'authsvc@b.test/realm'" in done.stderr
        assert after["current-context"] == "stage"
        assert "was 'prod'; to go back: kubectl config use-context prod" in done.stderr

    def test_an_entry_of_another_issuer_is_replaced_only_when_told_so(self, alice: Person) -> None:
        alice.kubectl("authsvc", "setup", "--issuer=https://a.test", "--name=work")
        before = _config(alice)
        setup = ("authsvc", "setup", "--issuer=https://b.test", "--name=work")

        refused = alice.kubectl(*setup)

        assert refused.returncode == 1
        assert "a user 'work' that logs in at https://a.test: choose another" in refused.stderr
        assert _config(alice) == before

        assert alice.kubectl(*setup, "--overwrite").returncode == 0
        (user,) = _config(alice)["users"]
        assert user["user"]["exec"]["args"] == ["get-token", "--issuer=https://b.test"]

    def test_an_entry_that_other_clusters_share_is_not_tied_to_one_issuer(
        self, alice: Person
    ) -> None:
        alice.kubeconfig("https://cluster.test", extension={"issuer": "https://a.test"})
        alice.kubectl("config", "set-cluster", "other", "--server=https://other.test")
        alice.kubectl("config", "set-context", "other", "--cluster=other", "--user=alice")

        done = alice.kubectl("authsvc", "setup", "--issuer=https://a.test", "--name=alice")

        assert done.returncode == 1
        assert "that logs in at the issuer of each cluster" in done.stderr

    @pytest.mark.parametrize(
        ("user", "said"),
        [
            (["--token=secret"], "that logs in with something else"),
            (
                ["--exec-command=kubectl-authsvc", "--exec-arg=get-token", "--exec-arg=--newer=1"],
                "whose settings are not known here",
            ),
        ],
    )
    def test_what_it_does_not_know_it_does_not_replace(
        self, alice: Person, user: list[str], said: str
    ) -> None:
        version = ["--exec-api-version=client.authentication.k8s.io/v1"] if len(user) > 1 else []
        made = alice.kubectl("config", "set-credentials", "admin", *user, *version)
        assert made.returncode == 0, made.stderr

        done = alice.kubectl("authsvc", "setup", "--issuer=https://a.test", "--name=admin")

        assert done.returncode == 1
        assert said in done.stderr
        assert "secret" not in done.stderr

    def test_without_an_issuer_nothing_is_written(self, alice: Person) -> None:
        alice.kubeconfig("https://cluster.test", "--issuer=https://a.test")
        before = _config(alice)

        done = alice.kubectl("authsvc", "setup", "--name=alice")

        assert done.returncode == 1
        assert "--issuer is required" in done.stderr
        assert _config(alice) == before

    def test_an_entry_with_settings_is_not_replaced_by_one_without(self, alice: Person) -> None:
        extension = {"issuer": "https://a.test"}
        alice.kubeconfig("https://cluster.test", "--client-id=mine", extension=extension)

        done = alice.kubectl("authsvc", "setup", "--name=alice")

        assert done.returncode == 1
        assert "'alice' with settings of its own (--client-id=mine)" in done.stderr

    def test_the_issuer_may_be_the_one_that_the_cluster_names(self, alice: Person) -> None:
        alice.kubeconfig("https://cluster.test", extension={"issuer": "https://a.test"})

        done = alice.kubectl("authsvc", "setup", "--username=alice", "--context=test")

        assert done.returncode == 0, done.stderr
        config = _config(alice)
        assert config["users"][1]["name"] == "authsvc@a.test"
        assert config["users"][1]["user"]["exec"]["args"] == ["get-token", "--username=alice"]
        assert config["contexts"][0]["context"]["user"] == "authsvc@a.test"
        assert "It was: cluster 'test', user 'alice'." in done.stderr

    def test_a_context_keeps_its_cluster_and_namespace_whichever_is_current(
        self, alice: Person
    ) -> None:
        alice.kubeconfig("https://cluster.test")
        alice.kubectl("config", "set-cluster", "other", "--server=https://other.test")
        alice.kubectl("config", "set-context", "mine", "--cluster=other", "--namespace=team-a")

        done = alice.kubectl("authsvc", "setup", "--issuer=https://a.test", "--context=mine")

        assert done.returncode == 0, done.stderr
        assert _config(alice)["contexts"][0]["context"] == {
            "cluster": "other",
            "namespace": "team-a",
            "user": "authsvc@a.test",
        }

    def test_without_a_kubeconfig_it_says_what_a_context_needs(self, alice: Person) -> None:
        done = alice.kubectl("authsvc", "setup", "--issuer=https://a.test", "--context=work")

        assert done.returncode == 1
        assert done.stderr.startswith(
            "kubectl-authsvc: the kubeconfig has no current cluster: it has none; ask"
        )
        assert "then give --cluster=NAME" in done.stderr
        assert not (alice.home / ".kube").exists()

    @pytest.mark.parametrize("context", [["--context=work"], []])
    def test_a_cluster_that_is_not_there_is_refused(
        self, alice: Person, context: list[str]
    ) -> None:
        alice.kubeconfig("https://cluster.test")
        before = _config(alice)

        done = alice.kubectl(
            "authsvc", "setup", "--issuer=https://a.test", "--cluster=typo", *context
        )

        assert done.returncode == 1
        said = "no cluster 'typo': --cluster is one of test" if context else "needs --context"
        assert said in done.stderr
        assert _config(alice) == before

    def test_says_which_command_comes_next(self, alice: Person) -> None:
        alice.kubeconfig("https://cluster.test")
        setup = ("authsvc", "setup", "--issuer=https://a.test")

        first = alice.kubectl(*setup)
        use = "kubectl config set-context --current --user=authsvc@a.test"
        assert f"Now run: {use}\n" in first.stderr

        alice.run(*use.split())
        assert "Now run: kubectl authsvc login\n" in alice.kubectl(*setup).stderr

    def test_can_write_and_use_a_context(self, alice: Person, api_server: APIServer) -> None:
        alice.kubeconfig(api_server.url)

        done = alice.kubectl("authsvc", "setup", "--issuer=https://a.test", "--context=mine")

        assert done.returncode == 0, done.stderr
        config = _config(alice)
        assert config["current-context"] == "mine"
        assert config["contexts"][0] == {
            "name": "mine",
            "context": {"cluster": "test", "user": "authsvc@a.test"},
        }

    def test_takes_paths_that_hold_from_any_folder(self, alice: Person) -> None:
        done = alice.kubectl(
            "authsvc", "setup", "--issuer=https://a.test", "--certificate-authority=~/ca.pem"
        )

        assert done.returncode == 0, done.stderr
        arguments = _config(alice)["users"][0]["user"]["exec"]["args"]
        assert f"--certificate-authority={alice.home}/ca.pem" in arguments
        assert f"there is no file {alice.home}/ca.pem yet" in done.stderr

    def test_writes_to_the_file_that_is_named_and_keeps_a_link_a_link(
        self, alice: Person, tmp_path: Path
    ) -> None:
        target, link = tmp_path / "target", tmp_path / "link"
        link.symlink_to(target)

        done = alice.kubectl("authsvc", "setup", "--issuer=https://a.test", f"--kubeconfig={link}")

        assert done.returncode == 0, done.stderr
        assert link.is_symlink()
        assert _config(alice, f"--kubeconfig={target}")["users"][0]["name"] == "authsvc@a.test"
        assert not (alice.home / ".kube" / "config").exists()

    def test_writes_to_the_first_file_of_kubeconfig(self, alice: Person, tmp_path: Path) -> None:
        first, second = tmp_path / "first", tmp_path / "second"
        second.write_text('{"apiVersion": "v1", "kind": "Config"}')
        alice.environment["KUBECONFIG"] = f"{first}:{second}"

        alice.kubectl("authsvc", "setup", "--issuer=https://a.test")

        assert not first.exists(), "as kubectl does: the first that exists"
        assert "authsvc" in second.read_text()

    def test_a_file_that_another_kubectl_changes_is_left_alone(self, alice: Person) -> None:
        alice.kubeconfig("https://cluster.test")
        file = alice.home / ".kube" / "config"
        before = file.read_bytes()
        lock = file.with_name("config.lock")
        lock.touch()

        done = alice.kubectl("authsvc", "setup", "--issuer=https://a.test")

        assert done.returncode == 1
        assert f"another kubectl is changing {file}: if not, remove {lock}" in done.stderr
        assert file.read_bytes() == before

    def test_a_kubeconfig_that_kubectl_cannot_read_is_left_alone(self, alice: Person) -> None:
        file = alice.home / ".kube" / "config"
        file.parent.mkdir()
        file.write_text("]")

        done = alice.kubectl("authsvc", "setup", "--issuer=https://a.test")

        assert done.returncode == 1
        assert "`kubectl config` failed: see above" in done.stderr
        assert file.read_text() == "]"
        assert [entry.name for entry in file.parent.iterdir() if entry.is_file()] == ["config"]

    def test_a_bad_setting_writes_nothing(self, alice: Person) -> None:
        done = alice.kubectl("authsvc", "setup", "--issuer=a.test")

        assert done.returncode == 1
        assert "--issuer must be an https:// URL, not 'a.test'" in done.stderr
        assert not (alice.home / ".kube").exists()

    def test_the_hint_is_shown_where_the_program_is_missing(self, alice: Person) -> None:
        alice.kubeconfig("https://127.0.0.1:1", command="kubectl-authsvc-not-there")
        setup = ("authsvc", "setup", "--issuer=https://a.test", "--name=alice", "--overwrite")
        assert alice.kubectl(*setup).returncode == 0
        file = alice.home / ".kube" / "config"
        file.write_text(file.read_text().replace("command: kubectl-authsvc", "command: not-there"))

        assert "kubectl krew install authsvc" in alice.kubectl("get", "pods").stderr
