"""The short way: what happens on every kubectl call."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from authsvc.client.request import GROUP, VERSIONS
from tests.client.conftest import Person, exec_info

ISSUER = "--issuer=https://issuer.test"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_cached_token_is_answered_in_the_version_it_was_asked_in(
    alice: Person, version: str
) -> None:
    now = time.time()
    alice.keep((ISSUER,), obtained_at=now, good_until=now + 600)

    done = alice.get_token(ISSUER, KUBERNETES_EXEC_INFO=exec_info(version, interactive=False))

    answer = json.loads(done.stdout)
    assert (answer["apiVersion"], answer["kind"]) == (version, "ExecCredential")
    assert answer["status"]["token"] == "kept-token"
    expires = time.strptime(answer["status"]["expirationTimestamp"], "%Y-%m-%dT%H:%M:%SZ")
    assert time.mktime(expires) - time.timezone == int(now + 600)
    assert done.stderr == ""


def test_a_version_that_is_not_spoken_is_an_error(alice: Person) -> None:
    info = exec_info(f"{GROUP}/v1alpha1", interactive=False)

    done = alice.get_token(ISSUER, KUBERNETES_EXEC_INFO=info)

    assert done.returncode == 1
    assert f"set exec.apiVersion of the kubeconfig's user entry to {GROUP}/v1" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("info", ["{", "[]", '"x"', '{"spec": 1}'])
def test_an_exec_info_that_is_none_is_a_one_line_error(alice: Person, info: str) -> None:
    done = alice.get_token(ISSUER, KUBERNETES_EXEC_INFO=info)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("kubectl-authsvc: ")
    assert done.stderr.count("\n") == 1


def test_sessions_of_two_clusters_users_and_issuers_are_kept_apart(alice: Person) -> None:
    now = time.time()
    alice.keep((ISSUER, "--username=bob"), obtained_at=now, good_until=now + 600)

    for settings in ((ISSUER,), (ISSUER, "--username=carol"), ("--issuer=https://b.test",)):
        assert "not logged in" in alice.get_token(*settings).stderr
    info = exec_info(interactive=False, cluster={"server": "https://cluster.test:6443"})
    other = alice.get_token(ISSUER, "--username=bob", KUBERNETES_EXEC_INFO=info)
    assert "not logged in" in other.stderr
    assert "kept-token" in alice.get_token(ISSUER, "--username", "bob").stdout


def test_the_cluster_entry_may_hold_the_settings_and_a_flag_wins(alice: Person) -> None:
    now = time.time()
    alice.keep((ISSUER,), obtained_at=now, good_until=now + 600)
    config = {"apiVersion": "v1", "kind": "Settings", "issuer": "https://issuer.test"}

    here = alice.get_token(
        KUBERNETES_EXEC_INFO=exec_info(interactive=False, cluster={"server": "", "config": config})
    )
    config["issuer"] = "https://other.test"
    flag = alice.get_token(
        ISSUER,
        KUBERNETES_EXEC_INFO=exec_info(interactive=False, cluster={"config": config}),
    )
    config["isuer"] = "https://issuer.test"
    typing_error = alice.get_token(
        KUBERNETES_EXEC_INFO=exec_info(interactive=False, cluster={"config": config})
    )

    assert "kept-token" in here.stdout
    assert "kept-token" in flag.stdout
    assert "unknown field 'isuer'" in typing_error.stderr


@pytest.mark.parametrize(
    ("field", "flag"),
    [
        ("tokenFile", "--token-file"),
        ("clientSecretFile", "--client-secret-file"),
        ("certificateAuthority", "--certificate-authority"),
    ],
)
def test_a_cluster_entry_names_no_file_to_be_sent_to_its_server(
    alice: Person, field: str, flag: str
) -> None:
    file = alice.home / "secret"
    file.write_text("canary-file\n")
    config = {"issuer": "https://issuer.test", "flow": "token-file", field: str(file)}
    now = time.time()
    settings = (ISSUER, "--flow=token-file", f"{flag}={file}")
    alice.keep(settings, obtained_at=now, good_until=now + 600)
    info = exec_info(interactive=False, cluster={"server": "", "config": config})

    alone = alice.get_token(KUBERNETES_EXEC_INFO=info)
    beside = alice.get_token(*settings, KUBERNETES_EXEC_INFO=info)

    for done in (alone, beside):
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{field} names a file" in done.stderr
        assert f"set {flag} in exec.args of the user entry" in done.stderr
        assert "canary-file" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--isuer=https://x.test"], "unknown argument '--isuer=https://x.test'"),
        (["--issuer"], "--issuer needs a value"),
        (["stray"], "unknown argument 'stray'"),
        ([], "--issuer must be an https:// URL"),
        (["--issuer=http://x.test"], "--issuer must be an https:// URL"),
        ([ISSUER, "--flow=magic"], "--flow is one of auto, password"),
        ([ISSUER, "--flow=token-file"], "--token-file is needed"),
        ([ISSUER, "--token-type=jwt"], "--token-type is one of id_token, access_token"),
        ([ISSUER, "--login-timeout=-1"], "--login-timeout is a number of seconds"),
        ([ISSUER, "--redirect-uri=http://0.0.0.0/"], "--redirect-uri must be http:// on 127.0.0.1"),
        ([ISSUER, "--certificate-authority=/no/such"], "/no/such: No such file or directory"),
        ([ISSUER, "--certificate-authority-data=%"], "is not a PEM file in base64"),
    ],
)
def test_a_bad_setting_is_a_one_line_error_that_names_it(
    alice: Person, arguments: list[str], message: str
) -> None:
    info = exec_info(interactive=True)

    done = alice.get_token(*arguments, KUBERNETES_EXEC_INFO=info)

    assert done.returncode == 1
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_short_way_imports_next_to_nothing(alice: Person) -> None:
    now = time.time()
    alice.keep((ISSUER,), obtained_at=now, good_until=now + 600)
    program = (
        "import sys; before = set(sys.modules); import json; "
        "from authsvc.client.entry import main; assert main() == 0; "
        "print(sorted({name for name in sys.modules if name not in before}), file=sys.stderr)"
    )
    script = [sys.executable, "-c", program, "get-token", ISSUER]

    done = alice.run(*script, KUBERNETES_EXEC_INFO=exec_info(interactive=False))
    baseline = alice.run(
        sys.executable,
        "-c",
        "import sys; before = set(sys.modules); import json; "
        "print(sorted({name for name in sys.modules if name not in before}))",
    )

    loaded = set(json.loads(done.stderr.replace("'", '"')))
    extra = loaded - set(json.loads(baseline.stdout.replace("'", '"')))
    own = {"entry", "errors", "request", "sessions"}
    assert extra <= {"__future__", "authsvc", "authsvc.client", "binascii"} | {
        f"authsvc.client.{name}" for name in own
    }


def test_the_program_needs_nothing_but_the_standard_library() -> None:
    root = Path(__file__).parents[2]
    package = root / "authsvc" / "client"
    names = [
        ".".join(file.relative_to(root).with_suffix("").parts) for file in package.rglob("*.py")
    ]
    names.remove("authsvc.client.__main__")
    check = (
        f"import sys, importlib; sys.path.insert(0, {str(root)!r});"
        f"[importlib.import_module(name) for name in {names!r}];"
        "print([name for name in sys.modules if name.startswith('authsvc')"
        " and not name.startswith('authsvc.client')])"
    )

    # -S: no site-packages. -I: no environment.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", check], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert done.stdout.strip() == "['authsvc']"
