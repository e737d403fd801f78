"""Tokens without a person: client credentials, a token from a file, an exchange."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.client.conftest import Person
from tests.client.servers import Answer, Asked, Issuer, jwt
from tests.parts.openid_provider import ROBOT_SECRET, OpenIDProvider


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{ROBOT_SECRET}\n")
    return file


def test_a_program_logs_in_with_its_own_credentials(
    alice: Person, tls_provider: OpenIDProvider, secret_file: Path
) -> None:
    before = tls_provider.requests("/token")
    settings = (
        f"--issuer={tls_provider.issuer}",
        f"--certificate-authority={alice.authority}",
        "--flow=client-credentials",
        "--client-id=robot",
        f"--client-secret-file={secret_file}",
    )

    first, second = alice.get_token(*settings), alice.get_token(*settings)

    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout) == json.loads(second.stdout)
    assert tls_provider.requests("/token") == before + 1


def test_a_wrong_secret_is_an_error_without_the_secret(
    alice: Person, tls_provider: OpenIDProvider, secret_file: Path
) -> None:
    secret_file.write_text("canary-secret")

    done = alice.get_token(
        f"--issuer={tls_provider.issuer}",
        f"--certificate-authority={alice.authority}",
        "--flow=client-credentials",
        "--client-id=robot",
        f"--client-secret-file={secret_file}",
    )

    assert done.returncode == 1
    assert "kubectl-authsvc: invalid_client" in done.stderr
    assert "canary-secret" not in done.stderr


def test_the_secret_goes_into_the_form_where_the_issuer_takes_no_header(
    alice: Person, issuer: Issuer, secret_file: Path
) -> None:
    issuer.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}

    alice.get_token(
        f"--issuer={issuer.url}",
        f"--certificate-authority={alice.authority}",
        "--flow=client-credentials",
        f"--client-secret-file={secret_file}",
    )

    asked = issuer.asked[-1]
    assert asked.form["client_secret"] == ROBOT_SECRET
    assert asked.authorization == ""


def test_a_token_from_a_file_is_read_anew_each_time(alice: Person, tmp_path: Path) -> None:
    file = tmp_path / "token"
    for number in (1, 2):
        token = jwt(sub="ci", exp=time.time() + 3600, number=number)
        file.write_text(token + "\n")

        answer = json.loads(alice.get_token("--flow=token-file", f"--token-file={file}").stdout)

        assert answer["status"]["token"] == token
    assert not alice.state.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        ("", "is empty: put the token or secret into it"),
        (b"\xff", "it is not text"),
        (jwt(exp=1), "ended at 1970-01-01 00:00:01Z by this machine's clock: have it renewed"),
    ],
)
def test_a_file_without_a_good_token_is_an_error(
    alice: Person, tmp_path: Path, content: str | bytes | None, message: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    done = alice.get_token("--flow=token-file", f"--token-file={file}")

    assert done.returncode == 1
    assert message in done.stderr
    assert done.stdout == ""


def test_a_token_from_a_file_is_exchanged_for_the_issuers_own(
    alice: Person, issuer: Issuer, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("the CI's token\n")

    def exchange(asked: Asked) -> Answer:
        kind = "urn:ietf:params:oauth:grant-type:token-exchange"
        assert asked.form["grant_type"] == kind
        assert asked.form["subject_token"] == "the CI's token"
        return Answer(200, {**issuer.new_tokens(), "issued_token_type": "…:access_token"})

    issuer.token_answer = exchange
    done = alice.get_token(
        f"--issuer={issuer.url}",
        f"--certificate-authority={alice.authority}",
        "--flow=token-exchange",
        f"--token-file={file}",
    )

    assert json.loads(done.stdout)["status"]["token"] == issuer.issued[0]
