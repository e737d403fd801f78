"""A hundred at once: one prompt, one refresh, and one failure shared by all."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import time
from pathlib import Path

import pytest

from authsvc.client.errors import ClientError
from authsvc.client.lock import one_at_a_time
from tests.client.conftest import Person, exec_info
from tests.client.servers import APIServer, Issuer
from tests.parts.waiting import eventually

MANY = 100


def _start(alice: Person, *command: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env={**alice.environment, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


class Prompt:
    """A program that asks for a password, and waits for the test to answer."""

    def __init__(self, folder: Path, password: str) -> None:
        self._asked, self._answer = folder / "asked", folder / "answer"
        program = folder / "askpass"
        program.write_text(
            f'#!/bin/sh\necho "$1" >> {self._asked}\n'
            f"while [ ! -e {self._answer} ]; do sleep 0.05; done\necho {password}\n"
        )
        program.chmod(0o755)
        self.environment = {
            "AUTHSVC_ASKPASS": str(program),
            "KUBERNETES_EXEC_INFO": exec_info(interactive=True),
        }

    def answer(self) -> None:
        """Give the password, now and whenever it is asked for."""
        self._answer.touch()

    def asked(self) -> str:
        """Return every prompt there was."""
        return self._asked.read_text()


@pytest.fixture
def settings(alice: Person, issuer: Issuer) -> tuple[str, ...]:
    """A session whose token has ended, with a refresh token that is good."""
    given = (
        f"--issuer={issuer.url}",
        f"--certificate-authority={alice.authority}",
        "--flow=password",
        "--username=alice",
        "--keyring=never",
    )
    issuer.refresh_tokens.add("refresh-0")
    alice.keep(
        given,
        obtained_at=1,
        good_until=2,
        refresh_token="refresh-0",
        token_endpoint=f"{issuer.url}/token",
    )
    return given


def test_a_hundred_kubectl_calls_make_one_refresh(
    alice: Person, issuer: Issuer, settings: tuple[str, ...], api_server: APIServer
) -> None:
    alice.kubeconfig(api_server.url, *settings, provideClusterInfo=False)
    api_server.knows = lambda token: token in issuer.issued
    command = ("kubectl", "get", "--raw", "/api/v1/namespaces/default/pods")

    running = [_start(alice, *command) for _ in range(MANY)]
    done = [process.communicate(timeout=120) for process in running]

    assert [process.returncode for process in running] == [0] * MANY, {err for _, err in done}
    assert all("web-0" in out for out, _ in done)
    assert issuer.grants("refresh_token") == 1
    assert len(api_server.asked) == MANY


def test_many_calls_with_nobody_logged_in_make_one_prompt(
    alice: Person, issuer: Issuer, settings: tuple[str, ...], tmp_path: Path
) -> None:
    alice.session_file(*settings).unlink()
    prompt = Prompt(tmp_path, "wonderland")
    command = ("kubectl-authsvc", "get-token", *settings)

    running = [_start(alice, *command, **prompt.environment) for _ in range(20)]
    prompt.answer()
    done = [process.communicate(timeout=60) for process in running]

    assert all(issuer.issued[0] in out for out, _ in done)
    assert prompt.asked().count("Password of alice") == 1
    assert issuer.grants("password") == 1


def test_a_login_that_fails_is_not_asked_for_again_by_those_who_waited(
    alice: Person, issuer: Issuer, settings: tuple[str, ...], tmp_path: Path
) -> None:
    alice.session_file(*settings).unlink()
    prompt = Prompt(tmp_path, "wrong")
    command = ("kubectl-authsvc", "get-token", *settings)

    running = [_start(alice, *command, **prompt.environment) for _ in range(10)]
    _wait_until_blocked(running, all_but=1)
    prompt.answer()
    done = [process.communicate(timeout=60) for process in running]

    assert all("did not accept the user name and password" in err for _, err in done)
    assert {process.returncode for process in running} == {1}
    assert issuer.grants("password") == 1


def test_a_holder_that_is_killed_lets_the_next_one_in(
    alice: Person, settings: tuple[str, ...], tmp_path: Path
) -> None:
    alice.session_file(*settings).unlink()
    asked = tmp_path / "asked"
    askpass = tmp_path / "askpass"
    askpass.write_text(f"#!/bin/sh\ntouch {asked}\nexec sleep 60\n")
    askpass.chmod(0o755)
    info = exec_info(interactive=True)
    command = ("kubectl-authsvc", "get-token", *settings)
    holder = _start(alice, *command, AUTHSVC_ASKPASS=str(askpass), KUBERNETES_EXEC_INFO=info)
    eventually(asked.exists, "it is asked")
    waiting = _start(alice, *command, AUTHSVC_ASKPASS="/no/such/program", KUBERNETES_EXEC_INFO=info)
    _wait_until_blocked([waiting])

    subprocess.run(["kill", "-KILL", "--", f"-{holder.pid}"], check=True)

    assert "cannot run /no/such/program" in waiting.communicate(timeout=30)[1]
    holder.communicate(timeout=30)


def _hold(file: str, held: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with one_at_a_time(file, 5):
        held.set()  # type: ignore[attr-defined]  # a multiprocessing.Event
        time.sleep(60)


def test_a_lock_that_is_held_too_long_is_an_error_that_says_so(tmp_path: Path) -> None:
    file = str(tmp_path / "session.lock")
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    holder = context.Process(target=_hold, args=(file, held))
    holder.start()
    assert held.wait(30)

    with pytest.raises(ClientError, match="has been logging in for 1 s"), one_at_a_time(file, 1):
        pytest.fail("two hold the lock")

    holder.terminate()
    holder.join()
    with one_at_a_time(file, 1):
        pass  # free again


@pytest.mark.parametrize("content", ["", "{", '{"at": 1}', '{"message": "old", "at": 1}', "[]"])
def test_what_an_earlier_failure_left_behind_does_no_harm(tmp_path: Path, content: str) -> None:
    file = tmp_path / "session.lock"
    file.write_text(content)

    with one_at_a_time(str(file), 1):
        pass


def _wait_until_blocked(processes: list[subprocess.Popen[str]], all_but: int = 0) -> None:
    """Wait until the processes wait for a file lock, as the kernel lists them."""

    def blocked() -> bool:
        lines = Path("/proc/locks").read_text().splitlines()
        waiting = {line.split()[5] for line in lines if "->" in line}
        return len(waiting & {str(process.pid) for process in processes}) >= (
            len(processes) - all_but
        )

    eventually(blocked, "they wait", 30)
