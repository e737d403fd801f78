"""The system's keyring, through its command-line tool.

Secret Service (GNOME Keyring, KWallet) by ``secret-tool`` of libsecret, macOS
Keychain by ``security``. A keyring that is absent, locked or slow is no error:
the caller keeps the secret otherwise. Secrets go in by stdin, never as
arguments, which every process can read.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Protocol

SERVICE = "kubectl-authsvc"
_SECONDS = 30  # a person may have to unlock it


class Keyring(Protocol):
    """Keeps one secret under each name."""

    def get(self, name: str) -> str | None:
        """Return the secret, or None when it is not to be had."""
        ...

    def put(self, name: str, secret: str) -> bool:
        """Keep the secret; tell whether it was kept."""
        ...

    def remove(self, name: str) -> None:
        """Forget the secret, if there is one."""
        ...


class SecretService:
    """The freedesktop.org Secret Service of the user's session."""

    def __init__(self, program: str) -> None:
        self._program = program

    def get(self, name: str) -> str | None:
        return _run([self._program, "lookup", *self._attributes(name)]) or None

    def put(self, name: str, secret: str) -> bool:
        label = f"--label=kubectl-authsvc: {name}"
        return _run([self._program, "store", label, *self._attributes(name)], secret) is not None

    def remove(self, name: str) -> None:
        _run([self._program, "clear", *self._attributes(name)])

    @staticmethod
    def _attributes(name: str) -> list[str]:
        return ["service", SERVICE, "session", name]


class Keychain:
    """The user's login keychain on macOS."""

    def __init__(self, program: str) -> None:
        self._program = program

    def get(self, name: str) -> str | None:
        found = _run([self._program, "find-generic-password", "-s", SERVICE, "-a", name, "-w"])
        return found.strip() or None if found is not None else None

    def put(self, name: str, secret: str) -> bool:
        # `security -i` reads its command from stdin; -X takes the secret in hexadecimal.
        command = f"add-generic-password -U -s {SERVICE} -a {name} -X {secret.encode().hex()}\n"
        return _run([self._program, "-i"], command) is not None and self.get(name) == secret

    def remove(self, name: str) -> None:
        _run([self._program, "delete-generic-password", "-s", SERVICE, "-a", name])


def find(environment: Mapping[str, str]) -> Keyring | None:
    """Return the keyring of this session, or None when there is none."""
    path = environment.get("PATH")
    if sys.platform == "darwin":
        security = shutil.which("security", path=path)
        return Keychain(security) if security else None
    secret_tool = shutil.which("secret-tool", path=path)
    if secret_tool and environment.get("DBUS_SESSION_BUS_ADDRESS"):
        return SecretService(secret_tool)
    return None


def _run(command: Sequence[str], secret: str = "") -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  # found on PATH, arguments are names
            command,
            input=secret,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout if done.returncode == 0 else None
