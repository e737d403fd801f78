"""A real browser: Debian's Chromium, headless, driven by its own driver.

    def test_something(browser: Browser) -> None:
        browser.open(url)
        browser.fill("#login", "alice")
        browser.click("#continue")
        assert browser.wait_for_title("Signed in")

The driver's protocol is W3C WebDriver, JSON over HTTP on a loopback port. The
tests' own certificates are accepted: whether they are verified is not the
browser's part here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.parts.authsvc_server import free_port

_SECONDS = 30
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver, section 12: its name in JSON
_ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class WebDriverError(Exception):
    """The driver could not do it, or not yet."""


class Browser:
    """A window of a browser with a profile of its own."""

    def __init__(self, driver: str, profile: Path) -> None:
        self._driver = driver
        arguments = [*_ARGUMENTS, f"--user-data-dir={profile}"]
        always = {"acceptInsecureCerts": True, "goog:chromeOptions": {"args": arguments}}
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": always}})
        self._session = f"/session/{session['sessionId']}"

    def open(self, url: str) -> None:
        """Go to an address and wait until the page is there."""
        self._call("POST", f"{self._session}/url", {"url": url})

    def fill(self, selector: str, text: str) -> None:
        """Type into the field that a CSS selector names."""
        self._call("POST", f"{self._find(selector)}/value", {"text": text})

    def click(self, selector: str) -> None:
        """Click on what a CSS selector names."""
        self._call("POST", f"{self._find(selector)}/click", {})

    @property
    def title(self) -> str:
        """The page's title."""
        return str(self._call("GET", f"{self._session}/title"))

    def wait_for_text(self, text: str) -> str:
        """Wait until the page shows ``text``; return all it shows."""
        end = time.monotonic() + _SECONDS
        shown = ""
        while time.monotonic() < end:
            try:
                shown = str(self._call("GET", f"{self._find('body')}/text"))
            except WebDriverError:  # the page is being left
                continue
            if text in shown:
                return shown
            time.sleep(0.02)
        pytest.fail(f"the page does not show {text!r} but: {shown}")

    def screenshot(self, file: Path) -> None:
        """Save what the window shows as a PNG."""
        import base64

        file.write_bytes(base64.b64decode(self._call("GET", f"{self._session}/screenshot")))

    def close(self) -> None:
        """End the browser."""
        self._call("DELETE", self._session)

    def _find(self, selector: str) -> str:
        end = time.monotonic() + _SECONDS
        question = {"using": "css selector", "value": selector}
        while True:
            try:
                found = self._call("POST", f"{self._session}/element", question)
                return f"{self._session}/element/{found[_ELEMENT]}"
            except WebDriverError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def _call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  # the driver's own address
            self._driver + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                value = json.load(error)["value"]
            raise WebDriverError(f"{value['error']}: {value['message']}") from None


@pytest.fixture(scope="session")
def chromedriver() -> Iterator[str]:
    """Return the address of a driver for the whole run."""
    program = shutil.which("chromedriver")
    if program is None or shutil.which("chromium") is None:
        pytest.fail("Chromium is missing: apt-get install chromium chromium-driver")
    port = free_port()  # its own choice, --port=0, it does not tell where there is no IPv6
    with subprocess.Popen(
        [program, f"--port={port}"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        while "started successfully" not in (line := process.stdout.readline()):
            assert line, "chromedriver ended"
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture
def browser(chromedriver: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A fresh browser: no cookies, no history."""
    window = Browser(chromedriver, tmp_path_factory.mktemp("chromium"))
    yield window
    window.close()
