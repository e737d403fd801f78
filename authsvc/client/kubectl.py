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
from authsvc.client.kubeconfig import Kubeconfig, asked, plugin
from authsvc.client.request import Request


class Kubectl:
    """kubectl, with the flags that say which cluster and whose configuration.

    ``context`` is the one that was chosen; empty for the current one.
    """

    def __init__(
        self, environment: Mapping[str, str], options: Sequence[str] = (), *, context: str = ""
    ) -> None:
        self.environment = environment
        self.context = context
        self.options = (*options, f"--context={context}") if context else tuple(options)

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


def configuration(kubectl: Kubectl) -> Kubeconfig:
    """Return the configuration, with what is secret in it.

    Raises:
        ClientError: kubectl cannot read it.
    """
    return Kubeconfig(kubectl.objects("config", "view", "--raw", "-o", "json"))


def current(kubectl: Kubectl) -> tuple[Request, dict[str, str]]:
    """Return what kubectl would ask of this program now, and in which environment.

    Raises:
        ClientError: the current user does not log in with this program.
    """
    config = configuration(kubectl)
    context = config.context(kubectl.context)
    user = config.entries("users").get(str(context.get("user") or ""))
    cluster = config.entries("clusters").get(str(context.get("cluster") or ""))
    if user is None or cluster is None:
        raise ClientError(
            f"the context's {'user' if user is None else 'cluster'} is not in the kubeconfig: "
            "choose another with --context, or make one with `kubectl authsvc setup`"
        )
    found = plugin(user)
    if found is None:
        raise ClientError(
            "the current context's user does not log in with kubectl-authsvc: "
            "run `kubectl authsvc setup`, or choose a context with --context"
        )
    environment = dict(kubectl.environment)
    variables = found.get("env")
    for variable in variables if isinstance(variables, list) else ():
        environment[variable["name"]] = variable["value"]
    return asked(found, cluster), environment


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
