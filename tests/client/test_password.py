"""Logging in with a password: on a terminal, by an askpass program, through the real kubectl."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.client.conftest import Person, exec_info
from tests.client.servers import Answer, APIServer, Issuer
from tests.parts.terminal import Terminal

pytestmark = pytest.mark.usefixtures("settings")


@pytest.fixture
def settings(alice: Person, issuer: Issuer, api_server: APIServer) -> list[str]:
    """A kubeconfig for password login; the API server knows the issuer's tokens."""
    given = [
        f"--issuer={issuer.url}",
        f"--certificate-authority={alice.authority}",
        "--flow=password",
        "--keyring=never",
    ]
    alice.kubeconfig(api_server.url, *given)
    api_server.knows = lambda token: token in issuer.issued
    return given


def _log_in(terminal: Terminal, password: str = "wonderland") -> None:
    terminal.wait_for("User name at")
    terminal.press("alice\n")
    terminal.wait_for("Password of alice at")
    terminal.wait_for_echo(shown=False)
    terminal.press(f"{password}\n")


def test_a_fresh_user_is_asked_once_and_lists_pods(alice: Person, issuer: Issuer) -> None:
    with alice.terminal("kubectl", "get", "pods", "-o", "name") as terminal:
        _log_in(terminal)
        assert terminal.wait() == 0
        assert "pod/web-0" in terminal.screen
        assert "wonderland" not in terminal.screen
        terminal.wait_for_echo(shown=True)

    again = alice.kubectl("get", "pods", "-o", "name")
    assert again.stdout == "pod/web-0\n"
    assert issuer.grants("password") == 1


def test_login_is_a_kubectl_command(alice: Person, issuer: Issuer) -> None:
    with alice.terminal("kubectl", "authsvc", "login") as terminal:
        _log_in(terminal)
        assert terminal.wait() == 0
        assert "Logged in as alice." in terminal.screen

    assert alice.kubectl("get", "pods", "-o", "name").stdout == "pod/web-0\n"
    assert issuer.grants("password") == 1


def test_a_wrong_password_is_one_error_and_not_asked_again(alice: Person, issuer: Issuer) -> None:
    with alice.terminal("kubectl", "authsvc", "login") as terminal:
        _log_in(terminal, "wrong")
        assert terminal.wait() == 1
        message = "did not accept the user name and password (invalid_grant: not [31m good)"
        assert message in terminal.screen
        assert "\x1b" not in terminal.screen

    assert issuer.grants("password") == 1
    assert not list(alice.state.glob("*.json"))


@pytest.mark.parametrize("prompt", ["User name at", "Password of alice at"])
def test_ctrl_c_at_a_prompt_ends_in_one_line_and_leaves_the_terminal_and_the_cache(
    alice: Person, settings: list[str], prompt: str
) -> None:
    kept = alice.keep(tuple(settings), obtained_at=1, good_until=2)
    before = kept.read_bytes()
    arguments = [] if prompt.startswith("User") else ["--username=alice"]

    with alice.terminal("kubectl-authsvc", "login", *arguments) as terminal:
        terminal.wait_for(prompt)
        terminal.press("\x03")
        assert terminal.wait() == 130
        assert "kubectl-authsvc: cancelled: run the command again" in terminal.screen
        assert "Traceback" not in terminal.screen
        terminal.wait_for_echo(shown=True)

    assert kept.read_bytes() == before


def test_ctrl_c_at_a_prompt_under_kubectl_leaves_the_shell_a_terminal_as_it_was(
    alice: Person,
) -> None:
    shell = "trap : INT; kubectl get pods; echo status $?; while :; do sleep 0.1; done"
    with alice.terminal("sh", "-c", shell) as terminal:
        terminal.wait_for("User name at")
        terminal.press("alice\n")
        terminal.wait_for_echo(shown=False)
        terminal.press("\x03")
        terminal.wait_for("status 130")
        terminal.wait_for_echo(shown=True)
        assert "Traceback" not in terminal.screen


def test_a_program_that_is_ended_at_the_prompt_gives_the_echo_back(alice: Person) -> None:
    with alice.terminal("kubectl-authsvc", "login", "--username=alice") as terminal:
        terminal.wait_for("Password of alice at")
        terminal.wait_for_echo(shown=False)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.wait() == 128 + signal.SIGTERM
        terminal.wait_for_echo(shown=True)


def test_an_end_of_file_is_no_answer(alice: Person) -> None:
    with alice.terminal("kubectl-authsvc", "login") as terminal:
        terminal.wait_for("User name at")
        terminal.press("\x04")
        assert terminal.wait() == 1
        assert "closed before an answer" in terminal.screen


def test_an_empty_password_is_not_sent(alice: Person, issuer: Issuer) -> None:
    with alice.terminal("kubectl-authsvc", "login") as terminal:
        _log_in(terminal, "")
        assert terminal.wait() == 1
        assert "the password was empty" in terminal.screen

    assert issuer.grants("password") == 0


def test_without_a_terminal_login_says_what_to_do(alice: Person) -> None:
    done = alice.kubectl("authsvc", "login")

    assert done.returncode == 1
    assert "there is no terminal to ask on: log in from one, or set AUTHSVC_ASKPASS" in done.stderr


@pytest.fixture
def askpass(tmp_path: Path) -> Path:
    program = tmp_path / "askpass"
    program.write_text(
        '#!/bin/sh\ncase "$1" in User*) echo alice;; Password*) echo wonderland;; esac\n'
    )
    program.chmod(0o755)
    return program


def test_an_askpass_program_is_asked_where_there_is_one(alice: Person, askpass: Path) -> None:
    done = alice.kubectl("authsvc", "login", AUTHSVC_ASKPASS=str(askpass))

    assert done.returncode == 0, done.stderr
    assert alice.kubectl("get", "pods", "-o", "name").stdout == "pod/web-0\n"


def test_the_user_entrys_own_environment_counts_in_login_too(
    alice: Person, settings: list[str], askpass: Path, api_server: APIServer
) -> None:
    variable = {"name": "AUTHSVC_ASKPASS", "value": str(askpass)}
    alice.kubeconfig(api_server.url, *settings, env=[variable])

    assert alice.kubectl("authsvc", "login").returncode == 0


@pytest.mark.parametrize(
    ("script", "message"),
    [(None, "cannot run"), ("exit 1", "gave no answer"), ("echo", "the password was empty")],
)
def test_an_askpass_program_that_fails_is_an_error(
    alice: Person, tmp_path: Path, script: str | None, message: str
) -> None:
    program = tmp_path / "askpass"
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    done = alice.kubectl("authsvc", "login", "--username=alice", AUTHSVC_ASKPASS=str(program))

    assert done.returncode == 1
    assert message in done.stderr


@pytest.mark.parametrize("mode", ["Never", "IfAvailable"])
def test_where_asking_is_forbidden_there_is_an_error_instead_of_a_prompt(
    alice: Person, api_server: APIServer, settings: list[str], mode: str, askpass: Path
) -> None:
    alice.kubeconfig(api_server.url, *settings, interactiveMode=mode)

    done = alice.kubectl("get", "pods", AUTHSVC_ASKPASS=str(askpass))

    assert done.returncode != 0
    assert "run `kubectl authsvc login`" in done.stderr


def test_stdout_carries_the_credential_alone(
    alice: Person, issuer: Issuer, settings: list[str], tmp_path: Path
) -> None:
    environment = {**alice.environment, "KUBERNETES_EXEC_INFO": exec_info(interactive=True)}
    out = tmp_path / "stdout"
    with out.open("w") as stdout:
        command = ["kubectl-authsvc", "get-token", *settings]
        with Terminal(command, environment, stdout=stdout.fileno()) as terminal:
            _log_in(terminal)
            assert terminal.wait() == 0

    assert json.loads(out.read_text())["status"]["token"] == issuer.issued[0]


def test_a_browser_that_writes_to_stdout_does_not_reach_kubectl(
    alice: Person, issuer: Issuer, tmp_path: Path
) -> None:
    browser = tmp_path / "browser"
    browser.write_text("#!/bin/sh\necho opened\n")
    browser.chmod(0o755)
    issuer.metadata = {"authorization_endpoint": f"{issuer.url}/auth"}
    settings = [f"--issuer={issuer.url}", f"--certificate-authority={alice.authority}"]

    done = alice.get_token(
        *settings,
        "--login-timeout=1",
        KUBERNETES_EXEC_INFO=exec_info(interactive=True),
        BROWSER=f"{browser} %s",
    )

    assert done.stdout == ""
    assert "opened" in done.stderr


def test_a_refresh_is_silent_and_rotates(alice: Person, issuer: Issuer, askpass: Path) -> None:
    issuer.lifetime = 0.01
    alice.kubectl("authsvc", "login", AUTHSVC_ASKPASS=str(askpass))

    for _ in range(3):
        assert alice.kubectl("get", "pods", "-o", "name").stdout == "pod/web-0\n"

    assert issuer.grants("password") == 1
    assert issuer.grants("refresh_token") >= 3


def test_a_rejected_refresh_leads_to_one_login(
    alice: Person, issuer: Issuer, askpass: Path
) -> None:
    issuer.lifetime = 0.01
    alice.kubectl("authsvc", "login", AUTHSVC_ASKPASS=str(askpass))
    issuer.refresh_tokens.clear()
    issuer.lifetime = 600

    with alice.terminal("kubectl", "get", "pods", "-o", "name") as terminal:
        terminal.wait_for("has ended (invalid_grant: not [31m good)")
        _log_in(terminal)
        assert terminal.wait() == 0

    assert issuer.grants("refresh_token") == 1
    assert issuer.grants("password") == 2


def test_a_rejected_refresh_where_nobody_can_be_asked_is_an_error_and_not_repeated(
    alice: Person, issuer: Issuer, askpass: Path
) -> None:
    issuer.lifetime = 0.01
    alice.kubectl("authsvc", "login", AUTHSVC_ASKPASS=str(askpass))
    issuer.refresh_tokens.clear()

    first, second = alice.kubectl("get", "pods"), alice.kubectl("get", "pods")

    assert "has ended (invalid_grant: not [31m good): run `kubectl authsvc login`" in first.stderr
    assert "run `kubectl authsvc login`" in second.stderr
    assert issuer.grants("refresh_token") == 1


def test_an_issuer_that_is_down_at_a_refresh_costs_no_session(
    alice: Person, issuer: Issuer, askpass: Path
) -> None:
    issuer.lifetime = 0.01
    alice.kubectl("authsvc", "login", AUTHSVC_ASKPASS=str(askpass))
    issuer.token_answer = lambda _: Answer(503, b"")

    assert "answered HTTP 503: try again later" in alice.kubectl("get", "pods").stderr
    issuer.token_answer = None
    issuer.lifetime = 600

    assert alice.kubectl("get", "pods", "-o", "name").stdout == "pod/web-0\n"


def test_a_refresh_may_leave_out_what_is_known_from_the_login(
    alice: Person, issuer: Issuer, askpass: Path
) -> None:
    issuer.lifetime = 0.01
    alice.kubectl("authsvc", "login", AUTHSVC_ASKPASS=str(askpass))
    issuer.issued.append("opaque")
    issuer.token_answer = lambda _: Answer(
        200, {"access_token": "opaque", "token_type": "Bearer", "expires_in": 600}
    )

    assert alice.kubectl("get", "pods", "-o", "name").stdout == "pod/web-0\n"
    status = alice.kubectl("authsvc", "status").stdout
    assert "alice" in status
    assert "by itself" in status, "the refresh token of before stays good"


def test_a_refresh_that_answers_with_another_user_is_refused(
    alice: Person, issuer: Issuer, askpass: Path
) -> None:
    issuer.lifetime = 0.01
    alice.kubectl("authsvc", "login", AUTHSVC_ASKPASS=str(askpass))
    issuer.user = "mallory"

    assert "answered with another user's token" in alice.kubectl("get", "pods").stderr


@pytest.mark.parametrize("clock_error", [-3600, 3600])
def test_a_clock_off_by_an_hour_neither_loops_nor_serves_stale_tokens(
    alice: Person, issuer: Issuer, askpass: Path, clock_error: int
) -> None:
    issuer.clock_error = clock_error
    alice.kubectl("authsvc", "login", AUTHSVC_ASKPASS=str(askpass))

    for _ in range(2):
        assert alice.kubectl("get", "pods", "-o", "name").stdout == "pod/web-0\n"

    assert (issuer.grants("password"), issuer.grants("refresh_token")) == (1, 0)
