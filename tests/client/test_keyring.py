"""Refresh tokens in the system's keyring: a real GNOME Keyring, and none."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.client import keyring
from authsvc.client.keyring import Keychain
from tests.client.conftest import Person
from tests.client.servers import Issuer


@pytest.fixture
def secret_service(alice: Person) -> Iterator[None]:
    """A session bus with an unlocked keyring on it, for alice."""
    for program, package in (
        ("dbus-daemon", "dbus-daemon"),
        ("gnome-keyring-daemon", "gnome-keyring"),
        ("secret-tool", "libsecret-tools"),
    ):
        if shutil.which(program) is None:
            pytest.fail(f"{program} is missing: apt-get install {package}")
    command = ["dbus-daemon", "--session", "--nofork", "--print-address"]
    with subprocess.Popen(
        command,
        env=alice.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as bus:
        assert bus.stdout is not None
        alice.environment["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        with subprocess.Popen(
            ["gnome-keyring-daemon", "--unlock", "--foreground", "--components=secrets"],
            env=alice.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as daemon:
            assert daemon.stdin is not None
            daemon.stdin.write(b"the keyring's password")
            daemon.stdin.close()
            assert daemon.stdout is not None
            daemon.stdout.readline()  # it is on the bus
            yield
            daemon.terminate()
        bus.terminate()


@pytest.fixture
def settings(alice: Person, issuer: Issuer, tmp_path: Path) -> list[str]:
    askpass = tmp_path / "askpass"
    askpass.write_text("#!/bin/sh\necho wonderland\n")
    askpass.chmod(0o755)
    alice.environment["AUTHSVC_ASKPASS"] = str(askpass)
    given = [f"--issuer={issuer.url}", f"--certificate-authority={alice.authority}"]
    given += ["--flow=password", "--username=alice"]
    alice.kubeconfig("https://127.0.0.1:1", *given, provideClusterInfo=False)
    issuer.lifetime = 0.01
    return given


@pytest.mark.usefixtures("secret_service")
def test_with_a_keyring_no_refresh_token_is_in_a_file(
    alice: Person, issuer: Issuer, settings: list[str]
) -> None:
    assert alice.kubectl("authsvc", "login").returncode == 0

    file = alice.session_file(*settings)
    assert "refresh-1" not in file.read_text()
    assert "refresh token in the keyring" in alice.kubectl("authsvc", "status").stdout
    assert alice.get_token(*settings).returncode == 0
    assert issuer.grants("refresh_token") == 1


@pytest.mark.usefixtures("secret_service")
def test_logging_out_empties_the_keyring_and_revokes_the_token(
    alice: Person, issuer: Issuer, settings: list[str]
) -> None:
    alice.kubectl("authsvc", "login")

    assert alice.kubectl("authsvc", "logout").stderr == "Logged out.\n"

    assert issuer.refresh_tokens == set()
    name = alice.session_file(*settings).stem
    left = alice.run("secret-tool", "lookup", "service", keyring.SERVICE, "session", name)
    assert left.stdout == ""


@pytest.mark.usefixtures("secret_service")
def test_a_setting_keeps_the_refresh_token_out_of_the_keyring(
    alice: Person, settings: list[str]
) -> None:
    settings.append("--keyring=never")
    alice.kubeconfig("https://127.0.0.1:1", *settings, provideClusterInfo=False)

    alice.kubectl("authsvc", "login")

    assert "refresh-1" in alice.session_file(*settings).read_text()


def test_a_keyring_that_does_not_answer_is_done_without(alice: Person, settings: list[str]) -> None:
    alice.environment["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/no/such/bus"

    assert alice.kubectl("authsvc", "login").returncode == 0

    assert "refresh-1" in alice.session_file(*settings).read_text()


def test_on_macos_the_secret_is_no_argument(tmp_path: Path) -> None:
    """A program that stands for macOS' ``security`` and keeps what it is told."""
    program, told, kept = tmp_path / "security", tmp_path / "told", tmp_path / "kept"
    program.write_text(
        f"""#!/usr/bin/env python3
import pathlib, sys
told, kept = pathlib.Path({str(told)!r}), pathlib.Path({str(kept)!r})
with told.open("a") as log: print(*sys.argv[1:], file=log)
if sys.argv[1] == "-i":
    words = sys.stdin.read().split()
    kept.write_text(bytes.fromhex(words[words.index("-X") + 1]).decode())
elif sys.argv[1] == "find-generic-password":
    print(kept.read_text())
else:
    kept.unlink()
"""
    )
    program.chmod(0o755)
    keychain = Keychain(str(program))

    assert keychain.put("session", 'a "secret" $x')
    assert keychain.get("session") == 'a "secret" $x'
    keychain.remove("session")

    assert keychain.get("session") is None
    assert "secret" not in told.read_text()


def test_there_is_no_keyring_without_a_bus() -> None:
    assert keyring.find({"PATH": os.environ["PATH"]}) is None
