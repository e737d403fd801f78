"""The device flow: the code in the terminal, the browser somewhere else."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from tests.client.conftest import Person, exec_info
from tests.client.servers import Answer, APIServer, Asked, Issuer
from tests.client.test_qr import read_qr
from tests.parts.chromium import Browser
from tests.parts.openid_provider import OpenIDProvider
from tests.parts.terminal import Terminal


def test_a_person_logs_in_with_a_code_and_lists_pods(
    alice: Person, tls_provider: OpenIDProvider, api_server: APIServer, browser: Browser
) -> None:
    alice.kubeconfig(
        api_server.url,
        f"--issuer={tls_provider.issuer}",
        f"--certificate-authority={alice.authority}",
        "--client-id=kubectl",
        "--flow=device",
    )
    with alice.terminal("kubectl", "get", "pods", "-o", "name") as terminal:
        terminal.wait_for("enter the code")
        terminal.wait_for("\x1b[0m\r\n")
        address = re.search(r"^    (https://\S+)", terminal.screen, re.MULTILINE)
        code = re.search(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b", terminal.screen)
        assert address is not None
        assert code is not None

        browser.open(address[1])
        browser.fill("[name=user_code]", code[0])
        browser.click("#continue")
        browser.wait_for_text("Confirm device")
        browser.click("#continue")
        browser.fill("#login", "alice")
        browser.click("#continue")
        browser.wait_for_text("Signed in")
        assert terminal.wait() == 0
        assert "pod/web-0" in terminal.screen


class Devices(Issuer):
    """An issuer with a device endpoint; ``answers`` are those of its token endpoint, in order."""

    address = "https://issuer.test/device"
    answers: list[str]

    def answer(self, asked: Asked) -> Answer:
        self.metadata = {"device_authorization_endpoint": f"{self.url}/device"}
        if asked.path == "/device":
            return Answer(
                200,
                {
                    "device_code": "secret",
                    "user_code": "WDJB-MJHT",
                    "verification_uri": self.address,
                    "verification_uri_complete": f"{self.address}?user_code=WDJB-MJHT",
                    "interval": 0.1,
                    "expires_in": 600,
                },
            )
        if asked.path == "/token" and self.answers:
            return Answer(400, {"error": self.answers.pop(0)})
        return super().answer(asked)


@pytest.fixture
def devices(issuer: Issuer) -> Devices:
    issuer.__class__ = Devices
    assert isinstance(issuer, Devices)
    issuer.answers = []
    return issuer


def _login(alice: Person, issuer: Issuer, *more: str) -> Terminal:
    settings = (f"--issuer={issuer.url}", f"--certificate-authority={alice.authority}")
    command = ("kubectl-authsvc", "get-token", *settings, "--flow=device", *more)
    return alice.terminal(*command, KUBERNETES_EXEC_INFO=exec_info(interactive=True))


def test_the_picture_in_the_terminal_is_the_address_with_the_code(
    alice: Person, devices: Devices, tmp_path: Path
) -> None:
    with _login(alice, devices) as terminal:
        assert terminal.wait() == 0
        lines = re.findall(r"\x1b\[30;107m([ ▀▄█]+)\x1b\[0m", terminal.screen)

    pixels = []
    for line in lines:
        pixels.append([character in "▀█" for character in line])
        pixels.append([character in "▄█" for character in line])
    assert read_qr(pixels, tmp_path) == b"https://issuer.test/device?user_code=WDJB-MJHT"


def test_no_picture_is_drawn_where_it_does_not_fit_or_is_not_wanted(
    alice: Person, devices: Devices
) -> None:
    alice.environment["NO_COLOR"] = "1"
    with _login(alice, devices) as terminal:
        assert terminal.wait() == 0
        assert "WDJB-MJHT" in terminal.screen
        assert "▀" not in terminal.screen


def test_pending_answers_are_waited_out(alice: Person, devices: Devices) -> None:
    devices.answers = ["authorization_pending"] * 3
    with _login(alice, devices) as terminal:
        assert terminal.wait() == 0

    assert devices.grants("urn:ietf:params:oauth:grant-type:device_code") == 4


def test_an_issuer_that_is_away_for_a_moment_is_asked_again(
    alice: Person, devices: Devices
) -> None:
    ended = threading.Event()

    def hang_once(asked: Asked) -> Answer:
        devices.token_answer = None
        ended.wait(10)
        return devices.answer(asked)

    devices.token_answer = hang_once
    with _login(alice, devices, "--request-timeout=1") as terminal:
        assert terminal.wait() == 0
    ended.set()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("access_denied", "the login was refused in the browser: run the command again"),
        ("expired_token", "the code was not used in time: run the command again"),
        ("slow_down", "nobody logged in within 2 s: run the command again"),
        ("invalid_client", "kubectl-authsvc: invalid_client"),
    ],
)
def test_an_answer_that_ends_the_login_is_an_error(
    alice: Person, devices: Devices, error: str, message: str
) -> None:
    devices.answers = [error] * 9
    with _login(alice, devices, "--login-timeout=2") as terminal:
        assert terminal.wait() == 1
        assert message in terminal.screen
        assert "Traceback" not in terminal.screen


def test_ctrl_c_while_waiting_ends_in_one_line(alice: Person, devices: Devices) -> None:
    devices.answers = ["authorization_pending"] * 999
    with _login(alice, devices) as terminal:
        terminal.wait_for("WDJB-MJHT")
        terminal.press("\x03")
        assert terminal.wait() == 130
        assert terminal.screen.rstrip().endswith("cancelled: run the command again")


def test_an_address_that_is_no_web_page_is_refused(alice: Person, devices: Devices) -> None:
    devices.address = "javascript:alert(1)"
    with _login(alice, devices) as terminal:
        assert terminal.wait() == 1
        assert "names an address that is no web page" in terminal.screen


def test_an_issuer_without_a_device_flow_is_an_error(alice: Person, issuer: Issuer) -> None:
    with _login(alice, issuer) as terminal:
        assert terminal.wait() == 1
        assert "has no device flow: choose another --flow" in terminal.screen
