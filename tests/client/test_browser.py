"""Logging in with a browser: a real provider, a real Chromium, and redirects that are none."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from authsvc.client.loopback import Redirect
from authsvc.client.tokens import claims
from tests.client.conftest import Person, exec_info
from tests.client.servers import Answer, APIServer, Asked, Issuer, jwt
from tests.parts.chromium import Browser
from tests.parts.openid_provider import OpenIDProvider
from tests.parts.terminal import Terminal


def _url(terminal: Terminal) -> str:
    """Return the address that the person is told to open."""
    terminal.wait_for("code_challenge_method=S256\r\n")
    found = re.search(r"^    (https://\S+)", terminal.screen, re.MULTILINE)
    assert found is not None, terminal.screen
    return found[1]


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_person_logs_in_with_a_browser_and_lists_pods(
    alice: Person, tls_provider: OpenIDProvider, api_server: APIServer, browser: Browser
) -> None:
    alice.kubeconfig(
        api_server.url,
        f"--issuer={tls_provider.issuer}",
        f"--certificate-authority={alice.authority}",
        "--client-id=kubectl",
        "--scopes=openid profile groups offline_access",
        "--flow=browser",
    )
    with alice.terminal("kubectl", "get", "pods", "-o", "name") as terminal:
        browser.open(_url(terminal))
        browser.fill("#login", "alice")
        browser.fill("#password", "any")
        browser.click("#continue")
        assert "You may close this page" in browser.wait_for_text("You are logged in")
        assert terminal.wait() == 0
        assert "pod/web-0" in terminal.screen

    token = api_server.asked[-1].authorization.removeprefix("Bearer ")
    assert claims(token)["groups"] == ["dev", "ops"]
    assert claims(token)["aud"] == "kubectl"
    status = alice.kubectl("authsvc", "status").stdout
    assert "alice" in status
    assert "by itself, refresh token in the session file" in status


def test_a_login_refused_in_the_browser_is_an_error(
    alice: Person, tls_provider: OpenIDProvider, api_server: APIServer, browser: Browser
) -> None:
    alice.kubeconfig(
        api_server.url,
        f"--issuer={tls_provider.issuer}",
        f"--certificate-authority={alice.authority}",
        "--client-id=kubectl",
    )
    with alice.terminal("kubectl", "authsvc", "login", "--flow=browser") as terminal:
        browser.open(_url(terminal))
        browser.click("#deny")
        browser.wait_for_text("The login failed")
        assert terminal.wait() == 1
        assert "kubectl-authsvc: access_denied" in terminal.screen


class Redirecting(Issuer):
    """An issuer whose login page is the test itself: it knows what the plugin asked."""

    nonce = ""

    def answer(self, asked: Asked) -> Answer:
        self.metadata = {"authorization_endpoint": f"{self.url}/authorize"}
        return super().answer(asked)

    def new_tokens(self) -> dict[str, object]:
        token = jwt(
            iss=self.url, aud="kubectl-authsvc", sub="alice", nonce=self.nonce, iat=0, exp=600
        )
        self.issued.append(token)
        return {"id_token": token, "access_token": "opaque", "token_type": "Bearer"}


@pytest.fixture
def redirecting(issuer: Issuer) -> Issuer:
    issuer.__class__ = Redirecting
    return issuer


def _login(alice: Person, issuer: Issuer, *more: str) -> Terminal:
    settings = (f"--issuer={issuer.url}", f"--certificate-authority={alice.authority}")
    info = exec_info(interactive=True)
    command = ("kubectl-authsvc", "get-token", *settings, "--flow=browser", *more)
    return alice.terminal(*command, KUBERNETES_EXEC_INFO=info)


def _redirect(asked: str, issuer: Issuer, **changed: str) -> str:
    """Return the redirect that answers an authorization request."""
    question = {name: values[0] for name, values in parse_qs(urlsplit(asked).query).items()}
    assert isinstance(issuer, Redirecting)
    issuer.nonce = question["nonce"]
    answer = {"code": "the-code", "state": question["state"], **changed}
    return f"{question['redirect_uri']}?{urlencode(answer)}"


def test_the_request_has_pkce_a_state_and_a_nonce_and_a_new_port_each_time(
    alice: Person, redirecting: Issuer
) -> None:
    questions = []
    for _ in range(2):
        with _login(alice, redirecting) as terminal:
            questions.append(parse_qs(urlsplit(_url(terminal)).query))

    first, second = questions
    assert first["code_challenge_method"] == ["S256"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/callback", first["redirect_uri"][0])
    for name in ("state", "nonce", "code_challenge", "redirect_uri"):
        assert first[name] != second[name]
    assert len(first["state"][0]) == len(first["nonce"][0]) == 43


def test_a_wrong_state_is_turned_away_and_the_right_one_still_taken(
    alice: Person, redirecting: Issuer
) -> None:
    with _login(alice, redirecting) as terminal:
        asked = _url(terminal)

        status, page = _get(_redirect(asked, redirecting, state="of an earlier try"))
        assert status == 400
        assert "This is not the login that kubectl waits for" in page

        status, page = _get(_redirect(asked, redirecting))
        assert status == 200
        assert "You may close this page" in page
        assert terminal.wait() == 0
    assert redirecting.grants("authorization_code") == 1


def test_with_a_wrong_state_alone_the_login_ends_in_an_error_that_says_so(
    alice: Person, redirecting: Issuer
) -> None:
    with _login(alice, redirecting, "--login-timeout=2") as terminal:
        _get(_redirect(_url(terminal), redirecting, state="wrong"))
        assert terminal.wait() == 1
        assert "did not come back within 2 s (1 of another login came)" in terminal.screen
    assert redirecting.grants("authorization_code") == 0


def test_a_second_redirect_finds_nobody(alice: Person, redirecting: Issuer) -> None:
    with _login(alice, redirecting) as terminal:
        redirect = _redirect(_url(terminal), redirecting)
        assert _get(redirect)[0] == 200
        assert terminal.wait() == 0

    with pytest.raises(urllib.error.URLError, match="Connection refused"):
        _get(redirect)
    assert redirecting.grants("authorization_code") == 1


def test_only_the_path_of_the_redirect_takes_an_answer() -> None:
    with Redirect("http://127.0.0.1/callback", "right") as redirect:
        place = redirect.uri.removesuffix("/callback")

        status, _ = _get(f"{place}/favicon.ico?state=right&code=c")

        assert status == 404
        assert redirect.answers.empty()
        assert redirect.strays == 0


def test_the_page_of_a_redirect_is_kept_out_of_caches_and_a_second_one_turned_away() -> None:
    with ThreadPoolExecutor(1) as pool, Redirect("http://127.0.0.1/callback", "right") as redirect:
        first = pool.submit(urllib.request.urlopen, f"{redirect.uri}?state=right&code=c", None, 10)
        assert redirect.wait(10) == {"state": "right", "code": "c"}
        assert _get(f"{redirect.uri}?state=right&code=c")[0] == 400
        redirect.succeeded = True

    with first.result() as page:
        assert "You are logged in" in page.read().decode()
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_a_browser_that_never_comes_back_is_given_up(alice: Person, redirecting: Issuer) -> None:
    with _login(alice, redirecting, "--login-timeout=1") as terminal:
        assert terminal.wait() == 1
        assert "the browser did not come back within 1 s: log in again" in terminal.screen


def test_another_nonce_in_the_id_token_is_refused(alice: Person, redirecting: Issuer) -> None:
    with _login(alice, redirecting) as terminal:
        redirect = _redirect(_url(terminal), redirecting)
        redirecting.nonce = "of another login"  # type: ignore[attr-defined]  # it is Redirecting
        status, page = _get(redirect)
        assert (status, "The login failed" in page) == (200, True)
        assert terminal.wait() == 1
        assert "the ID token does not belong to this login (nonce)" in terminal.screen
    assert not list(alice.state.glob("*.json"))


def test_a_redirect_of_another_issuer_is_refused(alice: Person, redirecting: Issuer) -> None:
    with _login(alice, redirecting) as terminal:
        _get(_redirect(_url(terminal), redirecting, iss="https://evil.test"))
        assert terminal.wait() == 1
        assert "came back from another issuer" in terminal.screen
    assert redirecting.grants("authorization_code") == 0


def test_ctrl_c_while_waiting_for_the_browser_ends_in_one_line(
    alice: Person, redirecting: Issuer
) -> None:
    with _login(alice, redirecting) as terminal:
        _url(terminal)
        terminal.press("\x03")
        assert terminal.wait() == 130
        assert terminal.screen.rstrip().endswith("cancelled: run the command again")


def test_a_port_that_is_taken_is_an_error(alice: Person, redirecting: Issuer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        uri = f"--redirect-uri=http://localhost:{port}/callback"
        with _login(alice, redirecting, uri) as terminal:
            assert terminal.wait() == 1
            assert f"cannot listen on localhost:{port}" in terminal.screen
            assert "(Address already in use): end what uses that port" in terminal.screen


def test_an_idle_connection_of_the_browser_holds_nothing_up(
    alice: Person, redirecting: Issuer
) -> None:
    with _login(alice, redirecting) as terminal:
        redirect = _redirect(_url(terminal), redirecting)
        with socket.create_connection(("127.0.0.1", urlsplit(redirect).port or 0)):
            assert _get(redirect)[0] == 200
            assert terminal.wait() == 0


def _ended_session(alice: Person, issuer: Issuer) -> tuple[str, ...]:
    """Keep a session whose ID token has ended, and return the settings it is of."""
    settings = (f"--issuer={issuer.url}", f"--certificate-authority={alice.authority}")
    alice.keep(
        settings,
        obtained_at=1,
        good_until=2,
        kind="id_token",
        refresh_token="refresh-0",
        token_endpoint=f"{issuer.url}/token",
    )
    return settings


def test_a_refresh_without_an_id_token_leads_to_a_login(alice: Person, redirecting: Issuer) -> None:
    settings = _ended_session(alice, redirecting)
    answer = {"access_token": "opaque", "token_type": "Bearer"}
    redirecting.token_answer = lambda _: Answer(200, answer)

    done = alice.get_token(*settings)

    assert done.returncode == 1
    assert "holds no id_token" in done.stderr
    assert "run `kubectl authsvc login`" in done.stderr


def test_a_refresh_that_answers_with_an_id_token_for_another_client_is_refused(
    alice: Person, redirecting: Issuer
) -> None:
    settings = _ended_session(alice, redirecting)
    token = jwt(iss=redirecting.url, aud="another", sub="alice", iat=0, exp=600)
    redirecting.token_answer = lambda _: Answer(200, {"id_token": token})

    done = alice.get_token(*settings)

    assert done.returncode == 1
    assert "the ID token is for another client" in done.stderr


def test_the_browser_that_is_set_is_opened(
    alice: Person, redirecting: Issuer, tmp_path: Path
) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    alice.environment["BROWSER"] = f"{browser} %s"

    with _login(alice, redirecting, "--flow=auto") as terminal:
        asked = _url(terminal)
        assert _get(_redirect(asked, redirecting))[0] == 200
        assert terminal.wait() == 0

    assert opened.read_text().strip() == asked
