"""What a kubeconfig says: its entries by name, and what one of its users asks of this program.

kubectl reads and merges the files (``kubectl.configuration``); no I/O here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from authsvc.client.errors import ClientError
from authsvc.client.request import GROUP, Request, from_exec_info

INSTALL_HINT = (
    "kubectl-authsvc logs you in to this cluster and is not installed.\n"
    "Get it with `kubectl krew install authsvc`, or ask your cluster's administrators "
    "for the single file kubectl-authsvc."
)

Entry = Mapping[str, object]


class Kubeconfig:
    """The configuration as ``kubectl config view`` shows it."""

    def __init__(self, shown: Mapping[str, object]) -> None:
        self._shown = shown

    @property
    def current_context(self) -> str:
        """Return the name of the current context; empty where there is none."""
        return str(self._shown.get("current-context") or "")

    def entries(self, group: str) -> dict[str, Entry]:
        """Return what is in ``contexts``, ``clusters`` or ``users``, by name."""
        listed = self._shown.get(group)
        found: dict[str, Entry] = {}
        for item in listed if isinstance(listed, list) else ():
            entry = item.get(group.removesuffix("s"))
            found[str(item.get("name"))] = entry if isinstance(entry, dict) else {}
        return found

    def context(self, name: str = "") -> Entry:
        """Return the context of a name; without one, the current context.

        Raises:
            ClientError: there is none.
        """
        contexts = self.entries("contexts")
        wanted = name or self.current_context
        if wanted in contexts:
            return contexts[wanted]
        if wanted:
            raise ClientError(
                f"the kubeconfig has no context {wanted!r}: {_choices('--context', contexts)}"
            )
        raise ClientError(
            "the kubeconfig has no current context: choose one with --context, "
            "or make one with `kubectl authsvc setup`"
        )

    def cluster(self, name: str) -> Entry:
        """Return the cluster of a name.

        Raises:
            ClientError: there is none.
        """
        clusters = self.entries("clusters")
        if name not in clusters:
            raise ClientError(
                f"the kubeconfig has no cluster {name!r}: {_choices('--cluster', clusters)}"
            )
        return clusters[name]

    def no_current_cluster(self) -> ClientError:
        """Return the error for a context that is to be written and has no cluster to take."""
        choices = _choices("--cluster", self.entries("clusters"))
        return ClientError(f"the kubeconfig has no current cluster: {choices}")


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


def plugin(user: Entry) -> Mapping[str, object] | None:
    """Return the ``exec`` part of a user entry that logs in with this program; None of others."""
    found = user.get("exec")
    arguments = found.get("args") if isinstance(found, dict) else None
    return found if isinstance(found, dict) and "get-token" in (arguments or ()) else None


def settings_of(plugin: Mapping[str, object]) -> list[str]:
    """Return the flags that a user entry's ``exec`` part gives to ``get-token``."""
    arguments = plugin.get("args")
    assert isinstance(arguments, list)  # noqa: S101  # ``plugin`` returns no other
    return arguments[arguments.index("get-token") + 1 :]


def asked(plugin: Mapping[str, object], cluster: Entry) -> Request:
    """Return what kubectl asks of this program for a user entry and a cluster.

    Raises:
        ClientError: see ``request.from_exec_info``.
    """
    info: dict[str, object] = {"interactive": True}
    if plugin.get("provideClusterInfo"):
        info["cluster"] = {"server": cluster.get("server", ""), "config": _extension(cluster)}
    version = plugin.get("apiVersion")
    return from_exec_info({"apiVersion": version, "spec": info}, settings_of(plugin))


def _extension(cluster: Entry) -> object:
    extensions = cluster.get("extensions")
    for item in extensions if isinstance(extensions, list) else ():
        if item.get("name") == f"{GROUP}/exec":
            return item.get("extension")
    return None


def _choices(flag: str, entries: Mapping[str, Entry]) -> str:
    if entries:
        return f"{flag} is one of {', '.join(sorted(entries))}"
    if flag == "--context":
        return "it has none; make one with `kubectl authsvc setup`"
    return (
        "it has none; ask your cluster's administrators for a kubeconfig, or run `kubectl config "
        "set-cluster NAME --server=URL --certificate-authority=FILE`, then give --cluster=NAME"
    )
