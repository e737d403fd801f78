"""The tour itself: write, serve, ask, tell."""

from __future__ import annotations

import http.client
import json
import secrets
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from authsvc.authn.static import hash_token
from authsvc.bootstrap.initialise import initialise
from authsvc.bootstrap.site import DEFAULT_PORT, LOOPBACK_HOST, Wanted
from authsvc.demo import example
from authsvc.errors import AuthsvcError

_START_SECONDS = 30.0


class DemoError(AuthsvcError):
    """The demo can not go on."""


def run(folder: Path, *, once: bool) -> bool:
    """Give the tour in a folder; return whether every answer was right."""
    # Ended by whatever is common: the server must not outlive the tour.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    port = _free_port()
    tokens = {name: secrets.token_urlsafe(24) for name in ("alice", "bob")}
    _write(folder, port, tokens)
    click.echo(f"{_bold('authsvc demo')}: what `authsvc init` writes, with two people and a policy")
    click.echo(f"  folder   {folder}")
    with _served(folder):
        click.echo(f"  serving  https://{LOOPBACK_HOST}:{port}, to clients of its own CA alone\n")
        right = _tour(folder, port, tokens)
        if not once:
            _what_next(folder, port, tokens)
            _wait()
    return right


def _write(folder: Path, port: int, tokens: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise DemoError(f"{folder}: not empty; the demo wants a fresh folder")
    initialise(folder, Wanted(hosts=(LOOPBACK_HOST,), port=port))
    for file in (folder / "policy").glob("*.csv"):
        file.unlink()
    (folder / "policy" / "company.csv").write_text(example.POLICY)
    hashed = {name: f"sha256:{hash_token(token).hex()}" for name, token in tokens.items()}
    (folder / "tokens.csv").write_text(example.TOKENS.format(**hashed))
    (folder / "who.json").write_text(example.pretty(example.token_review(tokens["alice"])))
    (folder / "may.json").write_text(example.pretty(example.access_questions()[2].review))


def _tour(folder: Path, port: int, tokens: Mapping[str, str]) -> bool:
    context = ssl.create_default_context(cafile=folder / "pki" / "ca.crt")
    context.load_cert_chain(
        folder / "pki" / "apiserver-client.crt", folder / "pki" / "apiserver-client.key"
    )
    right = True
    for title, questions in (
        ("Who is this?  (TokenReview)", example.token_questions(tokens)),
        ("May they?  (SubjectAccessReview)", example.access_questions()),
    ):
        click.echo(_bold(title))
        for question in questions:
            status, answer = _ask(port, context, question.path, question.review)
            word, detail = example.verdict(question, answer.get("status", {}))
            right &= _tell(
                status == 200 and word == question.expected, question.words, word, detail
            )
        click.echo()
    click.echo(_bold("And without the API server's certificate?"))
    stranger = ssl.create_default_context(cafile=folder / "pki" / "ca.crt")
    status, answer = _ask(port, stranger, "/authorize", example.access_questions()[0].review)
    message = str(answer.get("message", ""))
    right &= _tell(status == 401, "a review from a stranger", "refused", f"{status}: {message}")
    click.echo()
    return right


def _tell(right: bool, words: str, verdict: str, detail: str) -> bool:
    mark = click.style("✓", fg="green") if right else click.style("✗", fg="red")
    color = {"allowed": "green", "denied": "red", "refused": "red", "nobody": "red"}.get(verdict)
    padded = click.style(f"{verdict:<11}", fg=color, bold=True)
    click.echo(f"  {mark} {words:<42} {padded} {click.style(detail, dim=True)}")
    return right


def _ask(
    port: int, context: ssl.SSLContext, path: str, review: Mapping[str, Any]
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPSConnection(LOOPBACK_HOST, port, timeout=10, context=context)
    try:
        connection.request("POST", path, json.dumps(review), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@contextmanager
def _served(folder: Path) -> Iterator[None]:
    """Run the real server on the folder; its log and decisions go to files there."""
    with (folder / "authsvc.log").open("wb") as log, (folder / "decisions.log").open("wb") as out:
        server = subprocess.Popen(  # noqa: S603  ourselves
            [sys.executable, "-m", "authsvc", "serve", "--config", str(folder / "authsvc.yaml")],
            stdout=out,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        _wait_until_ready(server, folder)
        yield
    finally:
        server.terminate()
        server.wait()


def _wait_until_ready(server: subprocess.Popen[bytes], folder: Path) -> None:
    url = (folder / "apiserver" / "authentication.kubeconfig").read_text()
    port = int(url.split(f"https://{LOOPBACK_HOST}:")[1].split("/")[0])
    context = ssl.create_default_context(cafile=folder / "pki" / "ca.crt")
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        connection = http.client.HTTPSConnection(LOOPBACK_HOST, port, timeout=2, context=context)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    log = (folder / "authsvc.log").read_text()
    raise DemoError(f"the server did not start; its log says:\n{log}")


def _what_next(folder: Path, port: int, tokens: Mapping[str, str]) -> None:
    here = shlex.quote(str(folder))
    certificate = f"--cacert {here}/pki/ca.crt --cert {here}/pki/apiserver-client.crt"
    curl = f"curl -s {certificate} --key {here}/pki/apiserver-client.key"
    click.echo(_bold("It stays up until Ctrl-C. Try, in another terminal:"))
    url = f"https://{LOOPBACK_HOST}:{port}"
    kubectl = f"{_kubectl()} --kubeconfig {here}/apiserver/authentication.kubeconfig"
    lines = {
        "ask as the API server does": f"{curl} -d @{here}/may.json {url}/authorize",
        "the same with kubectl": f"{kubectl} create --raw /authenticate -f {here}/who.json",
        "change the policy; it is live in a moment": f"${{EDITOR:-vi}} {here}/policy/company.csv",
        "watch the decisions": f"tail -f {here}/decisions.log",
        "health, part by part": f"curl -s --cacert {here}/pki/ca.crt '{url}/readyz?verbose'",
    }
    for comment, line in lines.items():
        click.echo(f"  {click.style('# ' + comment, dim=True)}\n  {line}")
    click.echo(f"\n  alice's token: {tokens['alice']}\n  bob's token:   {tokens['bob']}")


def _kubectl() -> str:
    beside = Path(sys.executable).with_name("kubectl")
    return shutil.which("kubectl") or (str(beside) if beside.exists() else "kubectl")


def _wait() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        click.echo()


def _free_port() -> int:
    """Return the usual port where it is free, else any."""
    for port in (DEFAULT_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK_HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoError("no free port on loopback")


def _bold(text: str) -> str:
    return click.style(text, bold=True)
