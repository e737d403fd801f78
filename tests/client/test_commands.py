"""`kubectl authsvc …` with the real kubectl: help, status, logout."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.client.conftest import Person
from tests.client.servers import Issuer


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
