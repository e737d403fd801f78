"""`kubectl authsvc …` with the real kubectl: setup, status, logout, whoami, can-i."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from authsvc.client.kubeconfig import INSTALL_HINT
from tests.client.conftest import Person
from tests.client.servers import Answer, APIServer, Issuer


@pytest.fixture
def logged_in(alice: Person, issuer: Issuer, api_server: APIServer) -> tuple[str, ...]:
    """A kubeconfig, and a session that is good."""
    settings = (
        f"--issuer={issuer.url}",
        f"--certificate-authority={alice.authority}",
        "--keyring=never",
    )
    alice.kubeconfig(api_server.url, *settings, provideClusterInfo=False)
    issuer.refresh_tokens.add("refresh-0")
    now = time.time()
    alice.keep(
        settings,
        obtained_at=now,
        good_until=now + 600,
        refresh_token="refresh-0",
        revocation_endpoint=f"{issuer.url}/revoke",
    )
    return settings


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


@pytest.mark.parametrize(
    "command", ["", "login", "logout", "status", "get-token", "whoami", "can-i", "setup"]
)
def test_each_command_explains_itself(alice: Person, command: str) -> None:
    done = alice.kubectl("authsvc", *command.split(), "--help")

    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: kubectl authsvc{' ' if command else ''}{command}")
    if command not in {"", "get-token"}:  # nobody types the latter
        assert f"Example: kubectl authsvc {command}" in done.stdout
    assert done.stderr == ""


class TestStatusAndLogout:
    """`kubectl authsvc status`, `kubectl authsvc logout`."""

    def test_status_shows_the_session_without_its_tokens(
        self, alice: Person, issuer: Issuer, logged_in: tuple[str, ...]
    ) -> None:
        done = alice.kubectl("authsvc", "status")

        assert done.returncode == 0
        assert issuer.url in done.stdout
        assert str(alice.session_file(*logged_in)) in done.stdout
        assert "good for 9 min" in done.stdout or "good for 10 min" in done.stdout
        assert "kept-token" not in done.stdout
        assert "refresh-0" not in done.stdout

    def test_status_is_an_object_for_programs(
        self, alice: Person, issuer: Issuer, logged_in: tuple[str, ...]
    ) -> None:
        file = alice.session_file(*logged_in)
        end = json.loads(file.read_text())["good_until"]

        done = alice.kubectl("authsvc", "status", "-o", "json")

        nothing = dict.fromkeys(("cluster", "tokenFile"))  # these settings are of any cluster
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout) == {
            **nothing,
            "issuer": issuer.url,
            "loggedIn": True,
            "username": "alice",
            "expirationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)),
            "renewable": True,
            "refreshTokenIn": "file",
            "sessionFile": str(file),
        }

    def test_status_has_the_same_fields_where_there_is_no_session(
        self, alice: Person, issuer: Issuer, logged_in: tuple[str, ...]
    ) -> None:
        fields = json.loads(alice.kubectl("authsvc", "status", "-o", "json").stdout)
        alice.session_file(*logged_in).unlink()

        done = alice.kubectl("authsvc", "status", "-o", "json")

        nothing: dict[str, object] = dict.fromkeys(fields)
        assert done.returncode == 1
        assert json.loads(done.stdout) == nothing | {
            "issuer": issuer.url,
            "loggedIn": False,
            "renewable": False,
        }

    def test_status_of_a_session_that_needs_a_login_is_not_logged_in(
        self, alice: Person, logged_in: tuple[str, ...]
    ) -> None:
        alice.keep(logged_in, obtained_at=1, good_until=2)

        shown, done = (alice.kubectl("authsvc", "status", *o) for o in ([], ["-o", "json"]))

        assert (shown.returncode, done.returncode) == (1, 1)
        assert "used up" in shown.stdout
        assert "by a new login" in shown.stdout
        assert json.loads(done.stdout)["expirationTimestamp"] == "1970-01-01T00:00:02Z"

    def test_status_of_a_damaged_session_prints_no_object(
        self, alice: Person, logged_in: tuple[str, ...]
    ) -> None:
        alice.session_file(*logged_in).write_text("{")

        done = alice.kubectl("authsvc", "status", "-o", "json")

        assert (done.returncode, done.stdout) == (1, "")
        assert "is damaged: run `kubectl authsvc login`" in done.stderr

    def test_status_without_a_session_says_what_to_do(
        self, alice: Person, logged_in: tuple[str, ...]
    ) -> None:
        alice.session_file(*logged_in).unlink()

        done = alice.kubectl("authsvc", "status")

        assert done.returncode == 1
        assert "Not logged in: run `kubectl authsvc login`." in done.stdout

    def test_logout_revokes_and_forgets(
        self, alice: Person, issuer: Issuer, logged_in: tuple[str, ...]
    ) -> None:
        done = alice.kubectl("authsvc", "logout")

        assert (done.returncode, done.stderr) == (0, "Logged out.\n")
        assert issuer.refresh_tokens == set()
        assert not alice.session_file(*logged_in).exists()
        assert alice.kubectl("authsvc", "logout").stderr == "There was no session.\n"

    def test_logout_forgets_even_if_the_issuer_cannot_be_told(
        self, alice: Person, issuer: Issuer, logged_in: tuple[str, ...]
    ) -> None:
        issuer.stop()

        done = alice.kubectl("authsvc", "logout")

        assert done.returncode == 1
        assert "logged out here, but the issuer could not be told" in done.stderr
        assert not alice.session_file(*logged_in).exists()

    def test_logout_gets_rid_of_a_damaged_session_and_says_that_the_issuer_has_it(
        self, alice: Person, issuer: Issuer, logged_in: tuple[str, ...]
    ) -> None:
        file = alice.session_file(*logged_in)
        file.write_text("{")

        done = alice.kubectl("authsvc", "logout")

        assert done.returncode == 1
        assert done.stderr == (
            "kubectl-authsvc: logged out here, but the issuer could not be told: "
            f"{file} is damaged, so the session goes on there until it ends\n"
        )
        assert not file.exists()
        assert issuer.refresh_tokens == {"refresh-0"}

    def test_logout_says_where_the_keyring_does_not_give_what_is_to_be_revoked(
        self, alice: Person, logged_in: tuple[str, ...]
    ) -> None:
        now = time.time()
        alice.keep(logged_in, obtained_at=now, good_until=now, refresh_token_in="keyring")

        done = alice.kubectl("authsvc", "logout")

        assert done.returncode == 1
        assert "the issuer could not be told: the keyring did not give" in done.stderr

    def test_logout_says_where_the_issuer_cannot_end_a_session(
        self, alice: Person, issuer: Issuer, logged_in: tuple[str, ...]
    ) -> None:
        now = time.time()
        alice.keep(logged_in, obtained_at=now, good_until=now, refresh_token="refresh-0")

        done = alice.kubectl("authsvc", "logout")

        assert done.returncode == 0
        assert f"{issuer.url} cannot be told: the session there ends by itself" in done.stderr

    def test_a_token_from_a_file_is_no_session(self, alice: Person) -> None:
        alice.kubeconfig("https://cluster.test", "--flow=token-file", "--token-file=/a/token")

        login, status = (alice.kubectl("authsvc", command) for command in ("login", "status"))

        assert "the token comes from /a/token: there is no session" in login.stderr
        assert (status.returncode, status.stdout) == (0, "Token:     from the file /a/token\n")

    @pytest.mark.parametrize("command", ["login", "logout", "status"])
    def test_a_user_that_does_not_log_in_with_this_is_told_so(
        self, alice: Person, command: str
    ) -> None:
        alice.kubeconfig("https://cluster.test", command="aws", args=["eks"])

        done = alice.kubectl("authsvc", command)

        assert done.returncode == 1
        assert "run `kubectl authsvc setup`, or choose a context" in done.stderr

    @pytest.mark.parametrize("command", ["login", "logout", "status", "can-i get pods"])
    def test_without_a_kubeconfig_there_is_an_error(self, alice: Person, command: str) -> None:
        done = alice.kubectl("authsvc", *command.split())

        assert done.returncode == 1
        assert done.stderr == (
            "kubectl-authsvc: the kubeconfig has no current context: choose one with --context, "
            "or make one with `kubectl authsvc setup`\n"
        )

    def test_a_context_that_is_not_there_is_an_error_that_names_those_there_are(
        self, alice: Person
    ) -> None:
        alice.kubeconfig("https://cluster.test")

        done = alice.kubectl("authsvc", "status", "--context=typo")

        assert done.returncode == 1
        assert "no context 'typo': --context is one of test\n" in done.stderr

    @pytest.mark.parametrize("part", ["user", "cluster"])
    def test_a_context_without_its_parts_is_an_error(self, alice: Person, part: str) -> None:
        alice.kubeconfig("https://cluster.test", "--issuer=https://a.test")
        alice.kubectl("config", "set-context", "test", f"--{part}=gone")

        done = alice.kubectl("authsvc", "status")

        assert done.returncode == 1
        assert f"the context's {part} is not in the kubeconfig" in done.stderr

    def test_without_kubectl_there_is_an_error(self, alice: Person, tmp_path: Path) -> None:
        program = alice.run("sh", "-c", "command -v kubectl-authsvc").stdout.strip()

        done = alice.run(program, "status", PATH=str(tmp_path))

        assert "kubectl is not on PATH: install it first" in done.stderr


@pytest.mark.usefixtures("logged_in")
class TestReviews:
    """`kubectl authsvc whoami`, `kubectl authsvc can-i`."""

    def test_whoami_shows_what_the_api_server_sees(self, alice: Person) -> None:
        done = alice.kubectl("authsvc", "whoami")

        assert done.stdout.splitlines() == [
            "Username:  alice",
            "UID:       7",
            "Groups:    dev, system:authenticated",
        ]

    def test_whoami_fails_as_kubectl_does(self, alice: Person, api_server: APIServer) -> None:
        api_server.knows = lambda _: False

        done = alice.kubectl("authsvc", "whoami")

        assert done.returncode == 1
        assert "Unauthorized" in done.stderr
        assert "Traceback" not in done.stderr

    def test_can_i_explains_with_the_reason_of_the_authorizer(
        self, alice: Person, api_server: APIServer
    ) -> None:
        done = alice.kubectl("authsvc", "can-i", "get", "pods", "-n", "team-a", "--explain")

        assert (done.returncode, done.stdout) == (0, "yes\nallowed by team.csv:3\n")
        (review,) = api_server.reviews("SelfSubjectAccessReview")
        assert review["spec"] == {
            "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "team-a"}
        }

    @pytest.mark.parametrize(
        ("verdict", "shown"),
        [
            ({"allowed": False}, "no\nno rule allows it and none denies it\n"),
            ({"allowed": False, "denied": True, "reason": "denied by x:1"}, "no\ndenied by x:1\n"),
            ({"allowed": False, "reason": "\x1b[31mred"}, "no\n[31mred\n"),
        ],
    )
    def test_no_is_exit_status_1(
        self, alice: Person, api_server: APIServer, verdict: dict[str, object], shown: str
    ) -> None:
        api_server.verdict = verdict

        done = alice.kubectl("authsvc", "can-i", "get", "pods", "--explain")

        assert (done.returncode, done.stdout) == (1, shown)

    def test_an_error_of_an_authorizer_is_told(self, alice: Person, api_server: APIServer) -> None:
        api_server.verdict = {"allowed": True, "evaluationError": "authsvc is down"}

        done = alice.kubectl("authsvc", "can-i", "get", "pods")

        assert done.stdout == "yes\n"
        assert "could not ask everybody: authsvc is down" in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "attributes"),
        [
            (["get", "po"], {"resource": "pods", "namespace": "default"}),
            (["get", "Pod/web-0"], {"resource": "pods", "namespace": "default", "name": "web-0"}),
            (["get", "deploy", "-A"], {"resource": "deployments", "group": "apps"}),
            (["get", "node"], {"resource": "nodes"}),
            (
                ["get", "widgets.example.com", "-n", "x"],
                {"resource": "widgets", "group": "example.com", "namespace": "x"},
            ),
            (
                ["get", "pods", "--subresource=log"],
                {"resource": "pods", "subresource": "log", "namespace": "default"},
            ),
            (["get", "*"], {"resource": "*", "namespace": "default"}),
        ],
    )
    def test_a_type_is_named_as_kubectl_names_it(
        self,
        alice: Person,
        api_server: APIServer,
        arguments: list[str],
        attributes: dict[str, str],
    ) -> None:
        done = alice.kubectl("authsvc", "can-i", *arguments)

        assert done.returncode == 0, done.stderr
        (review,) = api_server.reviews("SelfSubjectAccessReview")
        assert review["spec"]["resourceAttributes"] == {"verb": "get", **attributes}

    def test_a_type_that_is_not_there_is_an_error(self, alice: Person) -> None:
        done = alice.kubectl("authsvc", "can-i", "get", "gadgets")

        assert done.returncode == 1
        assert "the API server has no resource type 'gadgets'" in done.stderr

    def test_a_path_is_asked_about_as_one(self, alice: Person, api_server: APIServer) -> None:
        alice.kubectl("authsvc", "can-i", "get", "/healthz")

        (review,) = api_server.reviews("SelfSubjectAccessReview")
        assert review["spec"] == {"nonResourceAttributes": {"verb": "get", "path": "/healthz"}}

    def test_another_user_is_asked_about_by_their_name(
        self, alice: Person, api_server: APIServer
    ) -> None:
        alice.kubectl("authsvc", "can-i", "get", "pods", "--for-user=bob", "--for-group=dev")

        (review,) = api_server.reviews("SubjectAccessReview")
        assert (review["spec"]["user"], review["spec"]["groups"]) == ("bob", ["dev"])


def test_the_answer_of_an_api_server_that_is_none_is_an_error(
    alice: Person, api_server: APIServer, logged_in: tuple[str, ...], monkeypatch: Any
) -> None:
    assert logged_in
    monkeypatch.setattr(api_server, "answer", lambda _: Answer(201, [1]))

    done = alice.kubectl("authsvc", "whoami")

    assert done.returncode == 1
    assert "did not print a JSON object" in done.stderr
