"""Everything that is done through kubectl: its configuration and its connection.

kubectl knows where its configuration is, how its files are merged and how the
API server is reached; this program does not learn it again.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from authsvc.client.errors import ClientError
from authsvc.client.request import GROUP, Request, from_exec_info

INSTALL_HINT = (
    "kubectl-authsvc logs you in to this cluster and is not installed.\n"
    "Get it with `kubectl krew install authsvc`, or ask your cluster's administrators "
    "for the single file kubectl-authsvc."
)


class Kubectl:
    """kubectl, with the flags that say which cluster and whose configuration."""

    def __init__(self, environment: Mapping[str, str], options: Sequence[str] = ()) -> None:
        self.environment = environment
        self.options = tuple(options)

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Return what kubectl prints. Its own words go to stderr as they are.

        Raises:
            ClientError: it failed, or is not there.
        """
        try:
            done = subprocess.run(  # noqa: S603  # arguments are a list, never a shell's
                ["kubectl", *arguments, *self.options],  # noqa: S607  # the user's own, by PATH
                input=stdin,
                stdout=subprocess.PIPE,
                text=True,
                env=dict(self.environment),
                check=False,
            )
        except FileNotFoundError:
            raise ClientError("kubectl is not on PATH: install it first") from None
        if done.returncode != 0:
            raise ClientError(f"`kubectl {arguments[0]}` failed: see above")
        return done.stdout

    def objects(self, *arguments: str, stdin: str = "") -> dict[str, object]:
        """Return the JSON object that kubectl prints.

        Raises:
            ClientError: see ``run``; or it prints something else.
        """
        try:
            found = json.loads(self.run(*arguments, stdin=stdin))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ClientError(f"`kubectl {arguments[0]}` did not print a JSON object")
        return found

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, object]:
        """Send an object to the API server as the current user; return its answer.

        Raises:
            ClientError: see ``run``.
        """
        return self.objects("create", "--raw", path, "-f", "-", stdin=json.dumps(body))


def current(kubectl: Kubectl) -> tuple[Request, dict[str, str]]:
    """Return what kubectl would ask of this program now, and in which environment.

    Raises:
        ClientError: the current user does not log in with this program.
    """
    config = kubectl.objects("config", "view", "--minify", "--raw", "-o", "json")
    user = _entry(config, "users", "user")
    plugin = user.get("exec")
    arguments = plugin.get("args") if isinstance(plugin, dict) else None
    if not isinstance(plugin, dict) or not arguments or "get-token" not in arguments:
        raise ClientError(
            "the current context's user does not log in with kubectl-authsvc: "
            "run `kubectl authsvc setup`, or choose a context with --context"
        )
    cluster = _entry(config, "clusters", "cluster")
    info: dict[str, object] = {"interactive": True}
    if plugin.get("provideClusterInfo"):
        info["cluster"] = {"server": cluster.get("server", ""), "config": _extension(cluster)}
    environment = dict(kubectl.environment)
    for variable in plugin.get("env") or ():
        environment[variable["name"]] = variable["value"]
    settings = arguments[arguments.index("get-token") + 1 :]
    asked = from_exec_info({"apiVersion": plugin.get("apiVersion"), "spec": info}, settings)
    return asked, environment


def merge(kubectl: Kubectl, addition: Mapping[str, object], file: Path) -> None:
    """Merge entries into a kubeconfig; they replace those of the same names.

    kubectl itself does it (``config view`` of both files): no other command of
    its can write an ``installHint``.

    Raises:
        ClientError: kubectl cannot read the file, or it cannot be written.
    """
    file = Path(os.path.realpath(file))  # a link stays one
    lock, beside = Path(f"{file}.lock"), Path(f"{file}.authsvc-new")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.touch(0o600, exist_ok=False)  # kubectl's own lock on it
    except FileExistsError:
        raise ClientError(f"another kubectl is changing {file}: if not, remove {lock}") from None
    except OSError as error:
        raise ClientError(f"cannot write {lock}: {error.strerror}") from None
    try:
        beside.unlink(missing_ok=True)
        # Refused where somebody puts a file or a link there meanwhile, as anyone can in /tmp.
        beside.touch(0o600, exist_ok=False)
        beside.write_text(json.dumps(addition))
        environment = {**kubectl.environment, "KUBECONFIG": f"{beside}{os.pathsep}{file}"}
        merged = Kubectl(environment).run("config", "view", "--raw", "-o", "yaml")
        beside.write_text(merged)
        if file.exists():
            beside.chmod(file.stat().st_mode & 0o777)
        beside.replace(file)
    except OSError as error:
        raise ClientError(f"cannot write {file}: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):  # of another's, who may keep it
            beside.unlink(missing_ok=True)
        lock.unlink()


def configuration_file(explicit: str, environment: Mapping[str, str]) -> Path:
    """Return the kubeconfig to write to, by kubectl's own order."""
    if explicit:
        return Path(explicit)
    listed = [Path(name) for name in environment.get("KUBECONFIG", "").split(os.pathsep) if name]
    if listed:
        return next((file for file in listed if file.exists()), listed[-1])
    if not environment.get("HOME"):
        raise ClientError("HOME is not set: name the file with --kubeconfig")
    return Path(environment["HOME"], ".kube", "config")


def user_entry(command: str, arguments: Sequence[str], interactive_mode: str) -> dict[str, object]:
    """Return a kubeconfig's user entry that logs in with this program."""
    return {
        "exec": {
            "apiVersion": f"{GROUP}/v1",
            "command": command,
            "args": ["get-token", *arguments],
            "interactiveMode": interactive_mode,
            "provideClusterInfo": True,
            "installHint": INSTALL_HINT,
        }
    }


def _entry(config: Mapping[str, object], group: str, name: str) -> dict[str, object]:
    entries = config.get(group)
    entry = entries[0].get(name) if isinstance(entries, list) and entries else None
    if not isinstance(entry, dict):
        message = f"the current context names no {name}: choose one with --context"
        hint = ", or make one with `kubectl authsvc setup`" if name == "user" else ""
        raise ClientError(message + hint)
    return entry


def _extension(cluster: Mapping[str, object]) -> object:
    extensions = cluster.get("extensions")
    for item in extensions if isinstance(extensions, list) else ():
        if item.get("name") == f"{GROUP}/exec":
            return item.get("extension")
    return None
