"""``authsvc init``: everything that a service and its API server need, in one folder."""

from __future__ import annotations

import shlex
from pathlib import Path, PurePosixPath

import click

from authsvc.bootstrap import (
    Initialised,
    Outcome,
    OwnAuthority,
    Site,
    Target,
    Wanted,
    initialise,
    material,
)
from authsvc.bootstrap import site as places
from authsvc.bootstrap.staticpod import IMAGE
from authsvc.cli.authentication_configuration import starter

_K3S_DROP_IN = "/etc/rancher/k3s/config.yaml.d/authsvc.yaml"
_FILE = click.Path(path_type=Path)
# What is read anew by those who use it; a new CA is not, by every API server.
_RENEWED = {
    material.SERVER_CERT,
    material.SERVER_KEY,
    material.CLIENT_CERT,
    material.CLIENT_KEY,
}


@click.command(epilog="Example: authsvc init --dir /etc/kubernetes/authsvc --for kubeadm")
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder to fill. Call again at any time: what is good stays as it is.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A DNS name or address of the service; the API server uses the first. "
    "Without: the API server's own machine.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="The service's port  [default: 8443]")
@click.option(
    "--for",
    "target",
    type=click.Choice([target.value for target in Target]),
    help="What runs the API server  [default: plain]",
)
@click.option(
    "--node-dir",
    metavar="PATH",
    type=PurePosixPath,
    help="Where the folder will lie on the control-plane node, if not at the same place.",
)
@click.option("--ca-cert", type=_FILE, help="Your own CA: its certificate, and those above it.")
@click.option("--ca-key", type=_FILE, help="Your own CA: its key. It is not copied.")
@click.option(
    "--oidc-issuer",
    metavar="URL",
    help="Also write how the API server itself verifies this issuer's tokens.",
)
@click.option(
    "--oidc-audience",
    "audiences",
    multiple=True,
    metavar="NAME",
    help="For whom that issuer makes them: the client's ID.",
)
def init(  # noqa: PLR0913, PLR0917  an option each, and click passes them by name
    directory: Path,
    hosts: tuple[str, ...],
    port: int | None,
    target: str | None,
    node_dir: PurePosixPath | None,
    ca_cert: Path | None,
    ca_key: Path | None,
    oidc_issuer: str | None,
    audiences: tuple[str, ...],
) -> None:
    """Write certificates, kubeconfigs, API server configuration and a first configuration.

    A second run renews certificates that end within 30 days, and keeps the
    rest, and everything that you edited. What you do not give is as it was.
    """
    if (ca_cert is None) != (ca_key is None):
        raise click.UsageError("--ca-cert and --ca-key belong together")
    if bool(audiences) != bool(oidc_issuer):
        raise click.UsageError("--oidc-issuer and --oidc-audience belong together")
    result = initialise(
        directory,
        Wanted(hosts or None, Target(target) if target else None, port, node_dir),
        own_authority=OwnAuthority(ca_cert, ca_key) if ca_cert and ca_key else None,
        authentication_config=starter(oidc_issuer, audiences) if oidc_issuer else None,
    )
    _report(result, directory)


def _report(result: Initialised, directory: Path) -> None:
    changed = [each for each in result.written if each.outcome is not Outcome.KEPT]
    for each in result.written:
        if each.outcome is not Outcome.KEPT or each.note:
            note = f" ({each.note})" if each.note else ""
            name = each.path.relative_to(result.site.folder)
            click.echo(f"{each.outcome.value:<8} {name}{note}")
    if str(result.site.node_folder) != str(result.site.folder):
        click.echo(f"for a node that has the folder at {result.site.node_folder} (--node-dir)")
    if not changed:
        click.echo(f"{result.site.folder}: nothing to do")
        return
    names = {each.path.relative_to(result.site.folder).as_posix() for each in changed}
    if names <= _RENEWED:
        click.echo("\nNothing to restart: the service and the API server take these up.")
    else:
        click.echo(f"\nNext:\n{_next_steps(result.site, directory)}")


def _next_steps(site: Site, directory: Path) -> str:
    def path(name: str) -> str:
        return shlex.quote(str(directory / name))

    steps = [f"say who may do what:  {path('tokens.csv')} and {path('policy')}"]
    if site.target is not Target.KIND:
        steps.append(f"in a cluster in use:  mode: Shadow in {path('authsvc.yaml')} to begin with")
    if site.runs_as_pod and site.owner[0] == 0:
        steps.append(
            f"not as root:          chown -R 60843:60843 {path('.')}, "
            f"chown 0:0 {path(material.CA_KEY)}, and run this again: "
            "the pod runs as whom the folder belongs to"
        )
    steps += {
        Target.PLAIN: [
            f"start the service:    authsvc serve --config {path('authsvc.yaml')}",
            f"start kube-apiserver: with the flags in {path(places.FLAGS)}",
        ],
        Target.K3S: [
            f"start the service:    authsvc serve --config {path('authsvc.yaml')}",
            f"tell k3s, restart it: install -Dm644 {path(places.K3S_CONFIG)} {_K3S_DROP_IN}",
        ],
        Target.KUBEADM: [
            f"start the service:    cp {path(places.STATIC_POD)} /etc/kubernetes/manifests/",
            f"a new cluster:        kubeadm init --config {path(places.KUBEADM_CONFIG)}",
            "one that runs:        deploy/README.md says how",
        ],
        Target.KIND: [
            f"start the cluster:    kind create cluster --config {path(places.KIND_CONFIG)}",
            f"give it the image:    kind load docker-image {IMAGE}",
        ],
    }[site.target]
    return "\n".join(f"  {number}. {step}" for number, step in enumerate(steps, 1))
