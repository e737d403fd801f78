"""What ``kubectl authsvc setup`` is to write: decided in whole before anything is written.

Two rules. What logs in today logs in tomorrow: an entry of another issuer, or
of another program, is replaced only with ``overwrite``. And nothing is written
that cannot log in: an issuer and a cluster have to be known. No I/O here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from authsvc.client.errors import ClientError
from authsvc.client.kubeconfig import Entry, Kubeconfig, asked, plugin, settings_of
from authsvc.client.settings import Settings, parse


@dataclass(frozen=True)
class Wanted:
    """What was asked for: the entry, and what it is called; names may be empty."""

    entry: Mapping[str, object]
    name: str
    context: str
    cluster: str
    overwrite: bool


@dataclass(frozen=True)
class Plan:
    """What to write. ``context`` is None where none was asked for."""

    user: str
    entry: Entry
    context: Mapping[str, object] | None


def plan(config: Kubeconfig, wanted: Wanted) -> Plan:
    """Decide.

    Raises:
        ClientError: something is missing or wrong, or would be lost.
    """
    if wanted.cluster and not wanted.context:
        raise ClientError("--cluster needs --context: the name of the context to write for it")
    name, cluster = _cluster(config, wanted)
    found = plugin(wanted.entry)
    assert found is not None  # noqa: S101  # it is this program's own
    values = asked(found, cluster).values
    if not values.get("issuer") and values.get("flow") != "token-file":
        raise ClientError(
            "--issuer is required: the cluster's entry in the kubeconfig does not give one"
        )
    user = wanted.name or _default_name(parse(values))
    if not wanted.overwrite:
        _check_replaceable(config, user, found, cluster)
    if not wanted.context:
        return Plan(user, wanted.entry, None)
    before = config.entries("contexts").get(wanted.context, {})  # its namespace stays
    return Plan(user, wanted.entry, {**before, "cluster": name, "user": user})


def _cluster(config: Kubeconfig, wanted: Wanted) -> tuple[str, Entry]:
    """Find the cluster that is meant: as named, that of the context, or the current one."""
    contexts = config.entries("contexts")
    context = contexts.get(wanted.context) or contexts.get(config.current_context) or {}
    name = wanted.cluster or str(context.get("cluster") or "")
    if wanted.context and not name:
        raise config.no_current_cluster()
    if wanted.context:
        return name, config.cluster(name)
    return name, config.entries("clusters").get(name, {})


def _default_name(settings: Settings) -> str:
    """One entry an issuer: two clusters of one issuer can share it, two issuers never do."""
    where = settings.issuer.partition("://")[2].rstrip("/")
    return f"authsvc@{where}" if where else "authsvc"


def _check_replaceable(
    config: Kubeconfig, user: str, new: Mapping[str, object], cluster: Entry
) -> None:
    existing = config.entries("users").get(user)
    if not existing:
        return
    advice = "choose another name with --name, or replace it with --overwrite"
    before = plugin(existing)
    if before is None:
        raise ClientError(
            f"the kubeconfig has a user {user!r} that logs in with something else: {advice}"
        )
    for where in (cluster, *_clusters_of(config, user)):
        place = _place(before, where)
        if place != _place(new, where):
            raise ClientError(f"the kubeconfig has a user {user!r} {place}: {advice}")
    if settings_of(before) and not settings_of(new):
        kept = " ".join(settings_of(before))
        raise ClientError(
            f"the kubeconfig has a user {user!r} with settings of its own ({kept}): {advice}"
        )


def _clusters_of(config: Kubeconfig, user: str) -> Sequence[Entry]:
    clusters = config.entries("clusters")
    return [
        clusters.get(str(context.get("cluster")), {})
        for context in config.entries("contexts").values()
        if context.get("user") == user
    ]


def _place(plugin: Mapping[str, object], cluster: Entry) -> str:
    """Return where an entry gets its tokens, in words that are the same for the same place."""
    try:
        values = asked(plugin, cluster).values
    except ClientError:
        return "whose settings are not known here"
    if values.get("flow") == "token-file":
        return f"that takes its token from {values.get('token-file')}"
    return f"that logs in at {values.get('issuer') or 'the issuer of each cluster'}"
